"use strict";

// Makes charts interactive: the server's drawing, which is seen first, is replaced by plotly.js, which is loaded when
// nothing else is left to do.

const script = document.currentScript;
const darkColours = matchMedia("(prefers-color-scheme: dark)");

const PLOT_CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset", scrollZoom: false };
// plotly.js leaves out the styles of its maps, which the content security policy forbids, where an element has this id.
const MAP_STYLES_ID = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";
let plotlyLoaded = null;

function loadPlotly() {
  plotlyLoaded ??= new Promise((resolve, reject) => {
    document.head.append(Object.assign(document.createElement("template"), { id: MAP_STYLES_ID }));
    const loader = document.createElement("script");
    loader.src = script.dataset.plotly;
    loader.onload = () => resolve(window.Plotly);
    loader.onerror = reject;
    document.head.append(loader);
  });
  return plotlyLoaded;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
// plotly.js takes some tags in text for markup.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
// As in the server's drawing: 60 pixels beside, 24 above and 28 below. The uppermost line of the grid is only drawn
// inside.
const ABOVE = 3;
// Custom properties of series are #rrggbb, to which an opacity can be added.
const AREA_OPACITY = "1a";

// One line is up to three traces: the area below it; the line between whole buckets; and, dotted, what touches others.
function tracesOfLine(data, line, paint) {
  const known = (at) => (line.y[at] ?? null) !== null;
  const isWhole = (at) => data.whole[at] !== false;
  const touchesPart = (at) => !isWhole(at) || !isWhole(at - 1) || !isWhole(at + 1);
  const values = (isWanted) => line.y.map((y, at) => (isWanted(at) ? y : null));
  const base = { type: "scatter", mode: "lines", name: plain(line.name), x: data.x, connectgaps: false, line: { width: 2, color: paint } };
  const told = {
    customdata: line.text,
    hovertemplate: data.lines.length > 1 ? "%{fullData.name}: %{customdata}<extra></extra>" : "%{customdata}<extra></extra>",
  };
  const dots = { size: line.y.map((_, at) => (known(at) && !known(at - 1) && !known(at + 1) ? 5 : 0)), color: paint, opacity: 1 };
  const traces = [{ ...base, ...told, mode: "lines+markers", marker: dots, y: values(isWhole) }];
  if (data.filled) {
    traces.unshift({ ...base, y: line.y, line: { width: 0, color: paint }, fill: "tozeroy", fillcolor: paint + AREA_OPACITY, hoverinfo: "skip" });
  }
  if (data.whole.includes(false)) {
    const dotted = { ...base, y: values(touchesPart), line: { ...base.line, dash: "dot" } };
    traces.push({ ...dotted, ...told, hoverinfo: data.x.map((_, at) => (isWhole(at) ? "skip" : "all")) });
  }
  return traces;
}

// The first line is the newest version: it is drawn last, above the others.
const tracesOf = (data) =>
  data.lines.map((line, number) => tracesOfLine(data, line, colour(`--series-${number + 1}`))).reverse().flat();

// The first events of versions: a line each, and its name above where there is room for it.
const shapesOf = (data) =>
  data.markers.map(({ x, label }) => ({
    type: "line",
    x0: x,
    x1: x,
    yref: "paper",
    y0: 0,
    y1: label ? 1.08 : 1.03,
    layer: "below",
    line: { color: colour("--border-strong"), width: 1, dash: "3px,3px" },
  }));
const annotationsOf = (data) =>
  data.markers
    .filter(({ label }) => label)
    .map(({ x, label, anchor }) => ({
      x,
      yref: "paper",
      y: 1.02,
      yanchor: "bottom",
      xanchor: anchor === "start" ? "left" : "right",
      text: plain(label),
      showarrow: false,
    }));

function layoutOf(data) {
  const text = { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--muted") };
  const { steps } = data;
  return {
    height: 240,
    margin: { l: 60, r: 0, t: 24 - ABOVE, b: 28 },
    showlegend: false,
    legend: { traceorder: "reversed" },
    hovermode: "x unified",
    dragmode: "zoom",
    uirevision: "kept",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: text,
    shapes: shapesOf(data),
    annotations: annotationsOf(data),
    hoverlabel: { bgcolor: colour("--surface"), bordercolor: colour("--border-strong"), font: { ...text, color: colour("--text") } },
    xaxis: {
      type: "date",
      range: data.x.length > 1 ? [data.x[0], data.x.at(-1)] : undefined,
      nticks: 6,
      hoverformat: data.hover,
      showgrid: false,
      zeroline: false,
      ticklabelstandoff: 5,
      showspikes: true,
      spikemode: "across",
      spikethickness: 1,
      spikedash: "solid",
      spikecolor: colour("--border-strong"),
      tickformatstops: [
        { dtickrange: [null, 86_399_999], value: "%H:%M" },
        { dtickrange: [86_400_000, null], value: "%-d %b" },
      ],
    },
    yaxis: {
      fixedrange: true,
      range: [steps[0], steps.at(-1) + ((steps.at(-1) - steps[0]) * ABOVE) / 188],
      tickvals: steps,
      ticktext: data.labels,
      ticklabelstandoff: 8,
      gridcolor: colour("--grid"),
      zeroline: true,
      zerolinecolor: colour("--grid"),
      zerolinewidth: 1,
    },
  };
}

async function drawChart(figure) {
  const text = figure.querySelector(".chart-data").textContent;
  const looks = `${darkColours.matches}${text}`;
  if (figure.drawnLooks === looks) return;
  figure.drawnLooks = looks;
  const data = JSON.parse(text);
  const Plotly = await loadPlotly();
  const plot = figure.querySelector(".chart-plot");
  // It says that there is no data, which plotly.js would not.
  if (plot.querySelector(".chart-empty")) return;
  if (!("owned" in plot.dataset)) {
    const summary = figure.querySelector("desc").textContent;
    const title = figure.querySelector("title").textContent;
    plot.dataset.owned = "";
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", `${title}: ${summary}`);
    plot.replaceChildren();
  }
  await Plotly.react(plot, tracesOf(data), layoutOf(data), PLOT_CONFIG);
  // where plotly.js measures text
  document.getElementById("js-plotly-tester").setAttribute("aria-hidden", "true");
}

const drawCharts = () => document.querySelectorAll("[data-chart]").forEach(drawChart);

darkColours.addEventListener("change", drawCharts);
document.addEventListener("refreshed", drawCharts);
addEventListener("load", () => {
  const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 200));
  whenIdle(drawCharts);
});
