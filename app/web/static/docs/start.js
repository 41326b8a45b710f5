"use strict";

const darkColours = matchMedia("(prefers-color-scheme: dark)");
const followColours = () => document.documentElement.classList.toggle("dark-mode", darkColours.matches);
followColours();
darkColours.addEventListener("change", followColours);

// What Swagger UI leaves out for people who do not see the page, or work it by keyboard.
const LANDMARKS = { ".information-container": "About this API", ".scheme-container": "Server and authorization" };
const NAMES = { "#servers": "Server", ".examples-select-element": "Example", ".content-type": "Media type" };
// The title is of the first level, and none is left out below it.
const LEVELS = { "h3.opblock-tag": 2, "#operations h4": 3, "#operations h5": 4 };

function completeAll(selector, attribute, valueOf) {
  for (const each of document.querySelectorAll(selector)) {
    if (!each.hasAttribute(attribute)) each.setAttribute(attribute, valueOf(each));
  }
}

function complete() {
  for (const [selector, name] of Object.entries(LANDMARKS)) {
    completeAll(selector, "role", () => "region");
    completeAll(selector, "aria-label", () => name);
  }
  for (const [selector, name] of Object.entries(NAMES)) completeAll(selector, "aria-label", () => name);
  for (const [selector, level] of Object.entries(LEVELS)) completeAll(selector, "aria-level", () => level);
  completeAll("[data-param-name] :is(select, input)", "aria-label", (field) => field.closest("[data-param-name]").dataset.paramName);
  completeAll("table.responses-table", "aria-label", (table) => `Responses of ${table.closest(".opblock").id}`);
  completeAll("pre.microlight", "tabindex", () => 0);
  // a link within a button; the button does the same
  for (const link of document.querySelectorAll(".opblock-summary-control a[href]")) link.removeAttribute("href");
}

new MutationObserver(complete).observe(document.getElementById("swagger-ui"), { childList: true, subtree: true });

SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  deepLinking: true,
  persistAuthorization: false,
  // The online validator would be sent the address of the document.
  validatorUrl: null,
});
