/** A part of the page that is built from rows of the table, and anew only when these rows change: what is typed in it stays. */

import { link } from "../show.js";

/** @typedef {import("../net/table.js").Row} Row */

export class Panel extends HTMLElement {
  #built = "";
  /** @type {(() => void)[]} */
  #ends = [];
  /** @type {(() => void)[]} of what was built last */
  #parts = [];
  #building = false;

  connectedCallback() {
    this.setup();
    this.#ends.push(link.onTable(() => this.#check()));
    this.#check();
  }

  disconnectedCallback() {
    for (const end of [...this.#ends, ...this.#parts]) end();
    this.#ends = [];
    this.#parts = [];
  }

  /**
   * Follow something while the panel is on the page; what `build` follows, until it builds anew.
   *
   * @param {() => void} end
   */
  follow(end) {
    (this.#building ? this.#parts : this.#ends).push(end);
  }

  /** Make what depends on no row. */
  setup() {}

  /**
   * The rows that this panel shows.
   *
   * @returns {Row[]}
   */
  get rows() {
    return [];
  }

  /** Make what shows the rows. */
  build() {}

  /** Build now. */
  rebuild() {
    for (const end of this.#parts) end();
    this.#parts = [];
    this.#building = true;
    this.build();
    this.#building = false;
  }

  #check() {
    if (link.rows.size === 0) return;
    const now = JSON.stringify(this.rows.map((row) => ({ ...row, value: null })));
    if (now === this.#built) return;
    this.#built = now;
    this.rebuild();
  }
}
