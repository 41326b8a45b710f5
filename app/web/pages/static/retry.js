"use strict";

// A page that could not be made just now: it is asked for again, less and less often, and shown once it is there.

const line = document.getElementById("retry");
const LONGEST_PAUSE_SECONDS = 60;
const LONGEST_WAIT_MS = 30_000;

async function isThere() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(LONGEST_WAIT_MS) });
    answer.body?.cancel();
    return answer.status !== 503;
  } catch {
    return false;
  }
}

async function tryAgain(pauseSeconds) {
  if (document.visibilityState !== "visible") {
    document.addEventListener("visibilitychange", () => tryAgain(pauseSeconds), { once: true });
    return;
  }
  if (await isThere()) {
    location.reload();
    return;
  }
  tryAgainIn(Math.min(2 * pauseSeconds, LONGEST_PAUSE_SECONDS));
}

function tryAgainIn(pauseSeconds) {
  setTimeout(tryAgain, 1_000 * pauseSeconds, pauseSeconds);
}

line.textContent = "This page tries again by itself.";
tryAgainIn(Number(line.dataset.seconds));
