/** What every widget of a parameter shares: it follows the show, and says at its own place what the show answers. */

import { h } from "../dom.js";
import { link } from "../show.js";

/** @typedef {import("../net/osc.js").Arg} Arg */
/** @typedef {import("../net/table.js").Row} Row */
/** @typedef {import("../net/connection.js").Answer} Answer */

const NOTE_MS = 4000;
const PREFIX = /^\S+:\d+: /; // the sender, which is this page

export class Control extends HTMLElement {
  /** @type {(() => void)[]} */
  #ends = [];
  /** @type {HTMLElement | null} */
  #note = null;
  #noted = 0;

  /** @param {Row} row */
  constructor(row) {
    super();
    this.row = row;
    this.title = `${row.doc} ${row.address}`;
    this.dataset.name = row.name;
  }

  connectedCallback() {
    this.#ends = [
      link.watch(this.row.address, (value) => this.show(value)),
      link.onAnswer(this.row.address, (answer) => this.answered(answer)),
    ];
  }

  disconnectedCallback() {
    for (const end of this.#ends) end();
    this.hush();
  }

  /**
   * Show a value of the show.
   *
   * @param {Arg} _value
   */
  show(_value) {}

  /** @param {Arg} value */
  send(value) {
    this.hush();
    link.send(this.row.name, value);
  }

  /**
   * Say at this control what became of a value.
   *
   * @param {Answer} answer
   */
  answered({ text }) {
    const [what, ...rest] = text.replace(PREFIX, "").split("; ");
    this.say(what ?? text, rest.join("; "));
  }

  /**
   * @param {string} what
   * @param {string} then
   */
  say(what, then) {
    this.hush();
    this.#note = h("span", { class: "note", role: "status" }, h("b", {}, what), then);
    this.classList.add("clamped");
    this.append(this.#note);
    const right = this.getBoundingClientRect().left > innerWidth / 2;
    this.#note.classList.toggle("to-left", right);
    this.#noted = setTimeout(() => this.hush(), NOTE_MS);
  }

  /** Take the note away. */
  hush() {
    clearTimeout(this.#noted);
    this.#note?.remove();
    this.#note = null;
    this.classList.remove("clamped");
  }
}
