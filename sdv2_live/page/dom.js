/** Building and styling elements. A strict Content-Security-Policy forbids style attributes; the style object is allowed. */

/** @typedef {Node | string | null | undefined | false} Child */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. Attributes that are functions are listeners (`onclick`); true sets an empty attribute, false and null none.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : String(value));
  }
  fill(made, ...children);
  return made;
}

/**
 * Replace the content of an element.
 *
 * @param {Element} element
 * @param {Child[]} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

/**
 * The first element that matches, which must be there.
 *
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {HTMLElement}
 */
export function $(selector, root = document) {
  const found = root.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`no element ${selector}`);
  return found;
}

/**
 * Set custom properties of an element's style.
 *
 * @param {HTMLElement | SVGElement} element
 * @param {Record<string, number | string>} properties
 */
export function vars(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, String(value));
}

/**
 * An icon of the sprite in index.html.
 *
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * A line through points in a box of 100 by 100 that stretches.
 *
 * @param {[number, number][]} points
 * @returns {SVGSVGElement}
 */
export function polyline(points) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", drawn(points));
  svg.append(path);
  return svg;
}

/**
 * The path of a line through points.
 *
 * @param {[number, number][]} points
 */
export function drawn(points) {
  return points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
}

/** @param {EventTarget | null} target */
export function isField(target) {
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type !== "range");
}

/**
 * A group of which one is chosen: arrows move the choice, Tab passes the group by.
 *
 * @param {string} label
 * @param {{ key: string, text: Child, name?: string }[]} options
 * @param {(key: string) => void} choose
 * @param {string} [look] class names
 */
export function segments(label, options, choose, look = "seg") {
  const group = h("div", { class: look, role: "radiogroup", "aria-label": label });
  const buttons = options.map(({ key, text, name }) =>
    h("button", { type: "button", role: "radio", "data-key": key, "aria-label": name ?? false, onclick: () => choose(key) }, text),
  );
  group.append(...buttons);
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    if (!step || at < 0) return;
    event.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next?.focus();
    next?.click();
  });
  return group;
}

/**
 * Show which of a group is chosen; none may be.
 *
 * @param {HTMLElement} group
 * @param {string} key
 */
export function chosen(group, key) {
  const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (group.querySelectorAll("[role=radio]"));
  const some = [...buttons].some((button) => button.dataset.key === key);
  buttons.forEach((button, index) => {
    const is = button.dataset.key === key;
    button.setAttribute("aria-checked", String(is));
    button.tabIndex = is || (!some && index === 0) ? 0 : -1;
  });
}

/**
 * A small symbol button.
 *
 * @param {string} name of the icon
 * @param {string} label
 * @param {(event: MouseEvent) => void} act
 * @param {string} [look] class names
 */
export function iconButton(name, label, act, look = "btn q") {
  return h("button", { type: "button", class: look, "aria-label": label, title: label, onclick: act }, icon(name));
}
