() => {
  const faults = [];
  const visible = (element) => element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
  const all = (selector) => [...document.querySelectorAll(selector)].filter(visible);
  const short = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 120);
  const named = (element) =>
    (element.getAttribute("aria-label") || element.innerText || element.textContent || "").trim() !== "" ||
    (element.getAttribute("aria-labelledby") || "").split(" ").some((id) => id && document.getElementById(id)) ||
    element.querySelector("img[alt]:not([alt='']), svg title") !== null;

  if (!document.documentElement.lang) faults.push("the page has no language");
  if (!document.title.trim()) faults.push("the page has no title");
  if (document.querySelectorAll("h1").length !== 1) faults.push("there is not exactly one h1");
  if (document.querySelectorAll("main").length !== 1) faults.push("there is not exactly one main");

  for (const field of all("input:not([type=hidden]), select, textarea")) {
    if (!field.closest('[aria-hidden=true]') && !field.labels.length && !field.getAttribute("aria-label") && !field.getAttribute("aria-labelledby"))
      faults.push(`without a label: ${short(field)}`);
  }
  for (const control of all("button, a[href], summary, [role=button]")) {
    if (!named(control)) faults.push(`without a name: ${short(control)}`);
  }
  for (const picture of all("img")) {
    if (!picture.hasAttribute("alt")) faults.push(`without an alternative: ${short(picture)}`);
  }
  for (const drawing of all("svg")) {
    const hidden = drawing.closest("[aria-hidden=true]");
    const told = drawing.getAttribute("aria-label") || drawing.getAttribute("aria-labelledby");
    if (!hidden && !told && !drawing.querySelector(":scope > title"))
      faults.push(`neither named nor hidden: ${short(drawing)}`);
  }
  for (const heading of all("th")) {
    if (!heading.scope) faults.push(`without a scope: ${short(heading)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, place) => ids.indexOf(id) !== place))) faults.push(`id twice: ${id}`);

  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth)
    faults.push(`wider than the window: ${root.scrollWidth} > ${root.clientWidth}`);

  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (colour, below) => {
    canvas.fillStyle = `rgb(${below.join(" ")})`;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const paper = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  const background = (element) =>
    element === null ? paper : over(getComputedStyle(element).backgroundColor, background(element.parentElement));
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const tell = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (tell.nextNode()) {
    const element = tell.currentNode.parentElement;
    if (!tell.currentNode.data.trim() || !visible(element) || element.closest("svg, :disabled, script, style")) continue;
    const style = getComputedStyle(element);
    if (element.closest("[aria-hidden=true]") || element.getBoundingClientRect().width <= 1) continue;
    const below = background(element);
    const [lighter, darker] = [luminance(over(style.color, below)), luminance(below)].sort((a, b) => b - a);
    const contrast = (lighter + 0.05) / (darker + 0.05);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (contrast < needed) faults.push(`contrast ${contrast.toFixed(2)} < ${needed}: ${short(element)}`);
  }
  return [...new Set(faults)];
}
