"use strict";

// Keys for people who come every day: "/" to search, "g" and a letter to go somewhere, "?" for help. They can be switched
// off, because whoever speaks to the computer may press them without meaning to.

const shortcuts = document.getElementById("shortcuts");
const shortcutsOn = document.getElementById("shortcuts-on");
const SHORTCUTS_OFF = "shortcuts-off";
const SECOND_KEY_MS = 1_500;
let wentAt = -Infinity;

const isTyping = (target) =>
  target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])");

function goTo(key) {
  const link = document.querySelector(`.site-nav a[data-shortcut="${CSS.escape(key)}"]`);
  link?.click();
  return link !== null;
}

function search() {
  const field = document.querySelector("main input[type=search]");
  field?.focus();
  field?.select();
  return field !== null;
}

function openShortcuts() {
  for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
  shortcuts.showModal();
  return true;
}

function heed(key, isSecond) {
  if (isSecond) return goTo(key);
  if (key === "/") return search();
  if (key === "?") return openShortcuts();
  if (key === "g") wentAt = performance.now();
  return key === "g";
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Shift" || !shortcutsOn.checked || document.querySelector("dialog[open]") || isTyping(event.target)) return;
  const isSecond = performance.now() - wentAt < SECOND_KEY_MS;
  wentAt = -Infinity;
  if (heed(event.key, isSecond)) event.preventDefault();
});

shortcutsOn.checked = localStorage.getItem(SHORTCUTS_OFF) === null;
shortcutsOn.addEventListener("change", () => {
  if (shortcutsOn.checked) localStorage.removeItem(SHORTCUTS_OFF);
  else localStorage.setItem(SHORTCUTS_OFF, "");
});
for (const button of document.querySelectorAll("[data-opens=shortcuts]")) {
  button.hidden = false;
  button.addEventListener("click", openShortcuts);
}
