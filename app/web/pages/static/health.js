"use strict";

// The light in the header goes with every answer that is seen, and pages that do not bring themselves up to date ask for
// it: one that was loaded while all was well must not stay green.

const healthLight = document.getElementById("health");
const HEALTH_EVERY_MS = 30_000;
const HEALTH_WAIT_MS = 15_000;

function putPart(place, text, nodes) {
  if (place.textContent.trim() !== text.trim()) place.replaceChildren(...nodes);
}

// What has not changed stays as it is: open, in focus, and untold to screen readers.
function showHealth(fresh) {
  healthLight.dataset.state = fresh.dataset.state;
  healthLight.dataset.age = fresh.dataset.age;
  for (const part of healthLight.querySelectorAll("[data-part]")) {
    const wanted = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    putPart(part, wanted.textContent, [...wanted.childNodes]);
  }
}

function showSilence() {
  const sentence = "This service does not answer. What you see is as it was before.";
  healthLight.dataset.state = "broken";
  healthLight.dataset.age = "";
  putPart(healthLight.querySelector('[data-part="word"]'), "No answer", ["No answer"]);
  putPart(healthLight.querySelector('[data-part="told"]'), sentence, [sentence]);
  const paragraph = Object.assign(document.createElement("p"), { className: "strong", textContent: sentence });
  putPart(healthLight.querySelector('[data-part="panel"]'), sentence, [paragraph]);
}

document.addEventListener("answered", ({ detail }) => {
  const fresh = detail.getElementById("health");
  if (fresh) showHealth(fresh);
  else showSilence();
});
document.addEventListener("unanswered", showSilence);

async function askForHealth() {
  if (document.visibilityState !== "visible") return;
  try {
    const answer = await fetch(healthLight.dataset.source, { signal: AbortSignal.timeout(HEALTH_WAIT_MS) });
    if (answer.status === 401 || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.dispatchEvent(new CustomEvent("answered", { detail: fresh }));
  } catch {
    showSilence();
  }
}

if (healthLight?.dataset.source && !document.getElementById("live")) {
  setInterval(askForHealth, HEALTH_EVERY_MS);
  document.addEventListener("visibilitychange", askForHealth);
}
