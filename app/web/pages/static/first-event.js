"use strict";

// A new key's page: asks whether the first event has come, until it has. The key itself stays as it is on the page.

const PAUSE_SECONDS = 2;
const LONGEST_PAUSE_SECONDS = 30;
const LONGEST_WAIT_MS = 15_000;

const section = () => document.getElementById("first-event");

function hideLink() {
  for (const each of section().querySelectorAll("[data-without-script]")) each.hidden = true;
}

// Only what has changed is told anew: so that screen readers hear it once.
function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("first-event");
  if (!fresh) throw new Error("an answer without the section");
  const place = section().querySelector("[role=status]");
  const told = fresh.querySelector("[role=status]");
  if (place.textContent !== told.textContent) place.replaceChildren(...told.childNodes);
  if ("came" in fresh.dataset) {
    section().dataset.came = "";
    section().append(...fresh.querySelectorAll(":scope > p"));
  }
}

async function look(pauseSeconds) {
  if (document.visibilityState !== "visible") {
    document.addEventListener("visibilitychange", () => look(PAUSE_SECONDS), { once: true });
    return;
  }
  let pause = Math.min(pauseSeconds * 1.05, LONGEST_PAUSE_SECONDS);
  try {
    const answer = await fetch(section().dataset.address, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(LONGEST_WAIT_MS) });
    // whoever is signed out meanwhile still needs the key on this page
    if (answer.status === 401 || new URL(answer.url).pathname === "/login") return;
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.text());
  } catch {
    pause = Math.min(2 * pause, LONGEST_PAUSE_SECONDS);
  }
  if (!("came" in section().dataset)) lookIn(pause);
}

function lookIn(pauseSeconds) {
  setTimeout(look, 1_000 * pauseSeconds, pauseSeconds);
}

if (section() && !("came" in section().dataset)) {
  hideLink();
  lookIn(PAUSE_SECONDS);
}
