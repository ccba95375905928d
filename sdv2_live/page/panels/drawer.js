/** A drawer over presets and faders, never over picture or safety. */

import { h, iconButton } from "../dom.js";
import { Panel } from "./panel.js";

export class Drawer extends Panel {
  #opener = /** @type {HTMLElement | null} */ (null);
  heading = "";

  extra = h("span", { class: "extra" });

  setup() {
    this.hidden = true;
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", this.heading);
    const close = iconButton("x", "Close", () => this.close());
    this.append(h("div", { class: "head" }, h("h2", { tabindex: "-1" }, this.heading), h("span", { class: "sp" }), this.extra, close));
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  /** @param {Element | null} opener gets the focus back */
  open(opener) {
    this.#opener = opener instanceof HTMLElement ? opener : null;
    this.hidden = false;
    this.querySelector("h2")?.focus({ preventScroll: true });
  }

  /** Close it and give the focus back. */
  close() {
    this.hidden = true;
    this.#opener?.focus({ preventScroll: true });
  }
}

/** Open drawers by anything with data-open, one at a time. */
export function serveDrawers() {
  const drawers = () => /** @type {Drawer[]} */ ([...document.querySelectorAll(".drawer")]);
  const toggle = (/** @type {string} */ name, /** @type {Element | null} */ opener) => {
    for (const drawer of drawers()) {
      if (drawer.dataset.drawer === name && drawer.hidden) drawer.open(opener);
      else if (!drawer.hidden) drawer.close();
    }
  };
  document.addEventListener("click", (event) => {
    const opener = /** @type {Element} */ (event.target).closest("[data-open]");
    if (opener instanceof HTMLElement) toggle(opener.dataset.open ?? "", opener);
  });
  document.addEventListener("drawer", (event) => {
    const name = /** @type {CustomEvent<string>} */ (event).detail;
    if (drawers().some((drawer) => drawer.dataset.drawer === name && drawer.hidden)) toggle(name, document.activeElement);
  });
}
