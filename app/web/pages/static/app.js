"use strict";

// Menus of the header: they work without this; it closes them on Escape and on a click elsewhere.
const openMenus = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Buttons that copy: shown only where the browser lets us.
const COPIED_MS = 2000;

function makeCopyButton(button) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  let timer;
  button.hidden = source === null;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText((source.value ?? source.textContent).trim());
    button.textContent = "Copied";
    clearTimeout(timer);
    timer = setTimeout(() => { button.textContent = label; }, COPIED_MS);
  });
}

if (navigator.clipboard) {
  document.querySelectorAll("button[data-copy]").forEach(makeCopyButton);
}

// On a phone the links of the header scroll: the one of this page is among those that are seen.
document.querySelector(".site-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
