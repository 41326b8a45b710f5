"use strict";

// Reads and zooms the charts that the server has drawn: a pointer or the arrow keys tell the values at a place, and what
// is dragged over, or chosen with Shift, becomes the range of the page, where a chart is over the range. Positions come
// with the chart, words from the table beside it; nothing is worked out twice.

const READING_HELP = "Left and right move along the axis, up and down between lines, Escape lets go.";
const ZOOM_HELP = " Shift with left or right chooses a part, Enter shows it alone.";
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
const TIP_AWAY_PX = 12;
const readers = new WeakMap();

function element(name, className, parent, attributes = {}) {
  const made = document.createElement(name);
  made.className = className;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  parent.append(made);
  return made;
}

// What the page says of a chart, as it is now: a refresh changes it. Its table may be shared with others, then `columns`
// are those of its lines; where the places are bars and not points, the table has their two edges in front of the values.
function read(figure) {
  const geometry = JSON.parse(figure.dataset.chart);
  const table = geometry.table ? document.getElementById(geometry.table) : figure.querySelector(".chart-table");
  const { rows } = table.tBodies[0];
  const told = (at, column) => rows[at].cells[column].textContent;
  const headings = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const columns = geometry.columns ?? headings.map((_, column) => column).slice(1);
  const names = columns.map((column) => headings[column]);
  const switches = new Map([...figure.querySelectorAll(".legend input")].map((box) => [Number(box.dataset.line) - 1, box]));
  const shown = names.map((_, line) => line).filter((line) => switches.get(line)?.checked ?? true);
  const label = (at) => (geometry.bars ? `${told(at, 0)} to ${told(at, 1)}` : told(at, 0));
  return { moments: [], ...geometry, names, shown, latest: rows.length - 1, label, value: (at, line) => told(at, columns[line]) };
}

function place(data, at) {
  if (data.bars) return (100 * (at + 0.5)) / (data.latest + 1);
  return data.latest > 0 ? (100 * at) / data.latest : 50;
}

function nearest(data, share) {
  const at = data.bars ? Math.floor(share * (data.latest + 1)) : Math.round(share * data.latest);
  return Math.max(0, Math.min(data.latest, at));
}

const minute = (minutes) => new Date(60_000 * minutes).toISOString().slice(0, 16);
const momentsAt = (data, at) => data.moments.filter(([where]) => where === at).map(([, told]) => told);

// The range of the page becomes that of the buckets from `first` to `last`; the address says what it was before.
function zoom(figure, first, last) {
  const data = read(figure);
  const address = new URL(location.href);
  const asked = address.searchParams;
  asked.set("back", document.querySelector("[data-back]").dataset.back);
  asked.delete("range");
  asked.set("from", minute(Math.max(data.first, data.start + data.step * first)));
  asked.set("to", minute(Math.min(data.last, data.start + data.step * (last + 1))));
  address.hash = figure.id;
  location.assign(address);
}

// The address says which lines are hidden, and the server draws the axis anew for the others.
function keepHidden() {
  const hidden = [...document.querySelectorAll(".legend input:not(:checked)")].map(({ value }) => value);
  function saying(text) {
    const address = new URL(text);
    address.searchParams.delete("hidden");
    for (const value of hidden) address.searchParams.append("hidden", value);
    return address;
  }
  history.replaceState(history.state, "", saying(location.href));
  // these stand outside of what a refresh brings up to date
  for (const link of document.querySelectorAll(".ranges a")) link.href = saying(link.href);
  document.dispatchEvent(new Event("outdated"));
}

function makeReader(figure) {
  const layer = figure.querySelector(".chart-layer");
  const area = element("div", "chart-area-of-pointer", layer, { tabindex: 0, role: "application", "aria-roledescription": "chart" });
  const selection = element("div", "chart-selection", area);
  const crosshair = element("div", "chart-crosshair", area);
  const dots = element("div", "chart-dots", area);
  const tip = element("div", "chart-tip", area, { "aria-hidden": "true" });
  const button = element("button", "button small chart-zoom", layer, { type: "button" });
  const told = element("p", "visually-hidden", layer, { "aria-live": "polite" });
  const help = element("p", "visually-hidden", layer, { id: `${figure.id}-help` });
  const canZoom = "start" in read(figure);
  help.textContent = READING_HELP + (canZoom ? ZOOM_HELP : "");
  button.textContent = "Show this part";
  area.setAttribute("aria-label", figure.querySelector("title").textContent);
  area.setAttribute("aria-describedby", `${help.id} ${figure.querySelector("desc").id}`);
  const state = { at: null, anchor: null, line: 0, byKeyboard: false };

  const chosen = () => (state.anchor === null || state.anchor === state.at ? null : [state.anchor, state.at].sort((a, b) => a - b));
  const value = (data, line) => `${data.names[line]}: ${data.value(state.at, line)}`;

  function showTip(data) {
    const lines = [Object.assign(element("p", "chart-tip-label", tip), { textContent: data.label(state.at) })];
    for (const line of data.shown) {
      const row = element("p", `series-${line + 1}`, tip);
      row.classList.toggle("current", state.byKeyboard && data.shown.length > 1 && line === state.line);
      element("span", "swatch", row);
      element("bdi", "", row).textContent = data.names[line];
      element("span", "chart-tip-value", row).textContent = data.value(state.at, line);
      lines.push(row);
    }
    for (const moment of momentsAt(data, state.at)) lines.push(Object.assign(element("p", "muted", tip), { textContent: moment }));
    tip.replaceChildren(...lines);
    const across = (area.clientWidth * place(data, state.at)) / 100;
    const beside = across > area.clientWidth / 2 ? across - TIP_AWAY_PX - tip.offsetWidth : across + TIP_AWAY_PX;
    // on a phone there may be no room on either side: it stays within the chart and its axis
    const left = Math.max(-layer.offsetLeft, Math.min(beside, area.clientWidth - tip.offsetWidth));
    tip.style.left = `${left}px`;
  }

  function showDots(data) {
    const made = data.shown
      .filter((line) => data.downs[line][state.at] !== null)
      .map((line) => {
        const dot = element("span", `chart-dot series-${line + 1}`, dots);
        dot.style.left = `${place(data, state.at)}%`;
        dot.style.top = `${data.downs[line][state.at]}%`;
        return dot;
      });
    dots.replaceChildren(...made);
  }

  function show() {
    const data = read(figure);
    layer.hidden = data.downs.length === 0;
    if (state.at !== null) state.at = Math.min(state.at, data.latest);
    const isRead = state.at !== null && !layer.hidden;
    const part = isRead ? chosen() : null;
    for (const each of [crosshair, dots, tip]) each.hidden = !isRead;
    selection.hidden = button.hidden = part === null;
    if (!isRead) return data;
    if (!data.shown.includes(state.line)) state.line = data.shown[0] ?? 0;
    crosshair.style.left = `${place(data, state.at)}%`;
    showDots(data);
    showTip(data);
    if (part) {
      selection.style.left = `${place(data, part[0])}%`;
      selection.style.width = `${place(data, part[1]) - place(data, part[0])}%`;
    }
    return data;
  }

  // Screen readers hear what the keys have found, not every move of a pointer.
  function tell(data) {
    const part = chosen();
    const words = [data.label(state.at), data.shown.length ? value(data, state.line) : "no line is shown", ...momentsAt(data, state.at)];
    if (part) words.push(`Chosen from ${data.label(part[0])} to ${data.label(part[1])}: Enter shows it alone`);
    told.textContent = words.join(". ");
  }

  function letGo() {
    Object.assign(state, { at: null, anchor: null, byKeyboard: false });
    show();
  }

  function move(key, isChoosing) {
    const data = read(figure);
    state.byKeyboard = true;
    if (state.at === null) state.at = data.bars ? 0 : data.latest;
    else if (key in STEPS) {
      state.anchor = isChoosing && canZoom ? (state.anchor ?? state.at) : null;
      state.at = Math.max(0, Math.min(data.latest, state.at + STEPS[key]));
    } else {
      const lines = data.shown.length;
      const now = data.shown.indexOf(state.line);
      if (lines) state.line = data.shown[(now + (key === "ArrowDown" ? 1 : lines - 1)) % lines];
    }
    tell(show());
  }

  function onKey(event) {
    const { key, shiftKey } = event;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (key in STEPS || key === "ArrowUp" || key === "ArrowDown") move(key, shiftKey);
    else if (key === "Enter" && canZoom && state.at !== null) zoom(figure, ...(chosen() ?? [state.at, state.at]));
    else if (key === "Escape") {
      letGo();
      told.textContent = "";
    } else return;
    event.preventDefault();
  }

  const placeAt = (event) => {
    const { left, width } = area.getBoundingClientRect();
    return nearest(read(figure), (event.clientX - left) / width);
  };

  let isDragging = false;

  function onDown(event) {
    if (event.button !== 0) return;
    isDragging = true;
    area.setPointerCapture(event.pointerId);
    const at = placeAt(event);
    Object.assign(state, { at, anchor: canZoom ? at : null, byKeyboard: false });
    show();
  }

  function onMove(event) {
    const at = placeAt(event);
    if ((!isDragging && state.anchor !== null) || (at === state.at && !state.byKeyboard)) return;
    Object.assign(state, { at, byKeyboard: false });
    show();
  }

  // A finger also slides to read values: so it only chooses, and the button zooms.
  function onUp(event) {
    if (!isDragging) return;
    isDragging = false;
    const part = chosen();
    if (part === null) state.anchor = null;
    else if (event.pointerType === "mouse") zoom(figure, ...part);
    show();
  }

  area.addEventListener("keydown", onKey);
  area.addEventListener("focus", () => { if (area.matches(":focus-visible") && state.at === null) move("End", false); });
  area.addEventListener("blur", () => { if (chosen() === null) letGo(); });
  area.addEventListener("pointerdown", onDown);
  area.addEventListener("pointermove", onMove);
  area.addEventListener("pointerup", onUp);
  area.addEventListener("pointercancel", () => { isDragging = false; letGo(); });
  area.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType === "mouse" && !isDragging && !state.byKeyboard && chosen() === null) letGo();
  });
  button.addEventListener("click", () => zoom(figure, ...chosen()));
  figure.addEventListener("change", () => { show(); keepHidden(); });
  readers.set(figure, show);
  show();
}

function readCharts() {
  for (const figure of document.querySelectorAll("[data-chart]")) {
    if (readers.has(figure)) readers.get(figure)();
    else makeReader(figure);
  }
}

document.addEventListener("refreshed", readCharts);
readCharts();
