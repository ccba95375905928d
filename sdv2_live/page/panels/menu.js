/** A small menu at a button. It closes by a choice, a press elsewhere, or Escape. */

import { h } from "../dom.js";

/** @typedef {{ text: string, act: () => void, dim?: boolean }} Item */

/**
 * Open a menu.
 *
 * @param {HTMLElement} anchor
 * @param {string} label
 * @param {Item[]} items
 */
export function openMenu(anchor, label, items) {
  document.querySelector(".menu")?.remove();
  const menu = h("div", { class: "menu", role: "menu", "aria-label": label });
  const close = () => {
    menu.remove();
    removeEventListener("pointerdown", elsewhere, true);
  };
  const elsewhere = (/** @type {Event} */ event) => {
    if (!menu.contains(/** @type {Node} */ (event.target))) close();
  };
  for (const { text, act, dim } of items) {
    const choose = () => {
      close();
      anchor.focus({ preventScroll: true });
      act();
    };
    menu.append(h("button", { type: "button", role: "menuitem", disabled: Boolean(dim), onclick: choose }, text));
  }
  menu.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const all = [...menu.querySelectorAll("button")];
    const at = all.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) all[(at + by + all.length) % all.length]?.focus();
    if (event.key === "Escape") {
      close();
      anchor.focus({ preventScroll: true });
    }
  });
  document.body.append(menu);
  place(menu, anchor);
  addEventListener("pointerdown", elsewhere, true);
  menu.querySelector("button")?.focus();
}

/**
 * Below the anchor, or above it where there is more room.
 *
 * @param {HTMLElement} menu
 * @param {HTMLElement} anchor
 */
function place(menu, anchor) {
  const at = anchor.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, innerWidth - menu.offsetWidth - 8));
  menu.style.setProperty("left", `${left}px`);
  if (at.bottom + menu.offsetHeight + 8 < innerHeight) menu.style.setProperty("top", `${at.bottom + 4}px`);
  else menu.style.setProperty("top", `${Math.max(8, at.top - menu.offsetHeight - 4)}px`);
}
