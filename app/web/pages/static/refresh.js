"use strict";

// Keeps a page up to date while it is looked at: the same URL is fetched again, and what has changed is put into the page.

const live = document.getElementById("live");
const statusLine = document.getElementById("live-status");
const health = document.getElementById("health");
const beganReduced = live !== null && "reduced" in live.dataset;
const LONGEST_PAUSE_SECONDS = 120;
// What a user does to a page is the user's: not what the server says about it.
const USERS_OWN = new Set(["open", "value", "checked"]);

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id : "");

// Selects in which the user has chosen: their choice stays, until then they follow the server.
const chosenIn = new WeakSet();
document.addEventListener("change", ({ target }) => chosenIn.add(target));

function morphAttributes(old, fresh) {
  const own = old.matches("details, input:not([type=hidden])") ? USERS_OWN : new Set();
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !own.has(name) && !(old.matches("[data-copy]") && name === "hidden")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    const kept = own.has(name) || (old.matches("[data-copy]") && name === "hidden");
    if (!kept && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

// Elements that stay are changed, not replaced: so focus, typed text and open details stay with them.
function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if ("owned" in old.dataset) return;
  const choice = chosenIn.has(old) ? old.value : null;
  morphAttributes(old, fresh);
  const keyed = new Map([...old.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    let found = key ? keyed.get(key) : place;
    if (found && (found.nodeName !== wanted.nodeName || (!key && keyOf(found)))) found = undefined;
    if (!found) {
      old.insertBefore(wanted, place);
      continue;
    }
    keyed.delete(key);
    if (found === place) place = place.nextSibling;
    else old.insertBefore(found, place);
    morph(found, wanted);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
  if (choice !== null) old.value = choice;
}

const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

function show(fresh) {
  const freshLive = fresh.getElementById("live");
  if (!freshLive) throw new Error("an answer without the page");
  // it could not know who looks: the whole page can now
  if (beganReduced && !("reduced" in freshLive.dataset)) location.reload();
  document.dispatchEvent(new CustomEvent("answered", { detail: fresh }));
  const focused = document.activeElement;
  morph(live, freshLive);
  if (focused.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  document.dispatchEvent(new Event("refreshed"));
}

// Screen readers hear of a change of state, not of every second.
function tell(text, isPaused) {
  statusLine.dataset.state = health?.dataset.state ?? "ok";
  statusLine.hidden = false;
  statusLine.classList.toggle("paused", isPaused);
  if (statusLine.dataset.paused !== String(isPaused)) {
    statusLine.setAttribute("role", "status");
    statusLine.dataset.paused = isPaused;
  } else {
    statusLine.removeAttribute("role");
  }
  statusLine.textContent = text;
}

let updatedAt = Date.now();
let failures = 0;
let waitUntil = 0;
let isAsking = false;
// Of the page as it is shown; with an answer that says the same nothing more is sent.
let tag = document.body.dataset.tag;

async function refresh() {
  isAsking = true;
  const asked = location.href;
  try {
    const headers = { Accept: "text/html", ...(tag && { "If-None-Match": `W/"${tag}"` }) };
    const answer = await fetch(asked, { headers, signal: AbortSignal.timeout(15_000) });
    if (answer.status === 401 || new URL(answer.url).pathname === "/login") {
      location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
      return;
    }
    const fresh = answer.status === 304 ? null : parsed(await answer.text());
    if (fresh && !answer.ok) {
      document.dispatchEvent(new CustomEvent("answered", { detail: fresh }));
      throw new Error(`status ${answer.status}`);
    }
    if (fresh && asked === location.href) {
      show(fresh);
      tag = fresh.body.dataset.tag;
    }
    failures = 0;
    updatedAt = Date.now();
  } catch (error) {
    failures += 1;
    tag = undefined;
    if (!/^status/.test(error.message)) document.dispatchEvent(new Event("unanswered"));
  } finally {
    isAsking = false;
    const seconds = Number(live.dataset.refreshSeconds);
    waitUntil = Date.now() + 1_000 * Math.min(seconds * 2 ** failures, Math.max(seconds, LONGEST_PAUSE_SECONDS));
    // the address has changed meanwhile: that was the answer to another one
    if (asked !== location.href) outdated();
  }
}

function outdated() {
  waitUntil = 0;
  tick();
}

function tick() {
  if (document.visibilityState !== "visible") return;
  if (!isAsking && Date.now() >= waitUntil) refresh();
  const seconds = Math.round((Date.now() - updatedAt) / 1_000);
  if (failures) tell("Paused: no answer, trying again", true);
  else tell(health?.dataset.age || (seconds < 3 ? "Updated just now" : `Updated ${seconds} s ago`), false);
}

if (live && statusLine) {
  waitUntil = Date.now() + 1_000 * Number(live.dataset.refreshSeconds);
  setInterval(tick, 1_000);
  document.addEventListener("visibilitychange", tick);
  document.addEventListener("outdated", outdated);
}
