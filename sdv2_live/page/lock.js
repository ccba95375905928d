/** The lock against touches: touch and mouse do nothing, keys and controllers play, safety keys want a hold. */

import { $, fill, h, icon } from "./dom.js";
import { Hold } from "./panels/hold.js";

const UNLOCK_MS = 1000;
const KEPT = "sdv2-locked";
const FREE = ".safety, .lockbar, .drawer, [data-open]"; // safety keys, and what only shows something
const SHOWING = ".drawer .head, .drawer.state";

/** Serve the lock's key and its bar. */
export function serveLock() {
  const key = $("[data-lock]");
  const unlock = h("button", { type: "button" }, "Hold to unlock");
  const bar = h("div", { class: "lockbar", role: "status", hidden: true });
  bar.append(icon("lock"), h("b", {}, "Locked against touch"), h("span", {}, "Keys and controllers still play. Safety keys: hold."), unlock);
  document.body.append(bar);
  const set = (/** @type {boolean} */ locked) => {
    sessionStorage.setItem(KEPT, locked ? "1" : "");
    document.body.classList.toggle("locked", locked);
    bar.hidden = !locked;
    key.setAttribute("aria-pressed", String(locked));
    key.classList.toggle("on", locked);
    fill(key, icon(locked ? "lock" : "unlock"), h("span", { class: "lbl" }, locked ? "Locked" : "Lock"));
  };
  key.addEventListener("click", () => set(true));
  const ends = [new Hold(unlock, () => set(false), UNLOCK_MS), new Hold(key, () => set(false), UNLOCK_MS)];
  for (const hold of ends) hold.needed = isLocked;
  const stop = (/** @type {Event} */ event) => {
    const target = /** @type {Element} */ (event.target);
    if (!isLocked() || isByKey(event) || (target.closest(FREE) && (!target.closest(".drawer") || target.closest(SHOWING)))) return;
    if (target.closest("[data-lock]") && event.type !== "click") return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  for (const name of ["pointerdown", "click", "contextmenu", "wheel"]) addEventListener(name, stop, { capture: true, passive: false });
  set(sessionStorage.getItem(KEPT) === "1");
}

export function isLocked() {
  return document.body.classList.contains("locked");
}

/**
 * A click by the keyboard has no count.
 *
 * @param {Event} event
 */
function isByKey(event) {
  return event instanceof MouseEvent && event.type === "click" && event.detail === 0;
}
