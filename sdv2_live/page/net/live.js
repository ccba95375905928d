/** Pictures and lists over /page/live. Mends itself. */

import { Topics } from "./topics.js";

/** @typedef {{ width: number, rate: number }} Wish */
/** @typedef {"output" | "input"} Which */
/** @typedef {import("./lists.js").Lists} Lists */
/** @typedef {{ which: Which, picture: ImageBitmap, sent: number }} Seen */

const RETRY_MS = 500;
/** @type {Which[]} */
const WHICH = ["output", "input"];

export class Live {
  /** @type {Partial<Lists>} the newest of each kind */
  lists = {};
  /** @type {Topics<any>} */
  #news = new Topics();
  /** @type {Topics<Seen>} */
  #pictures = new Topics();
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Partial<Record<Which, Wish>>} */
  #wishes = {};
  #retry = 0;
  #wanted = false;

  /** @param {URL} origin */
  constructor(origin) {
    this.origin = origin;
    document.addEventListener("visibilitychange", () => this.#wish());
  }

  /** Connect, and stay connected until `stop`. */
  start() {
    this.#wanted = true;
    if (!this.#socket) this.#connect();
  }

  /** End the connection: without the show's values its pictures would say what is not true. */
  stop() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#socket?.close();
    this.#socket = null;
  }

  /**
   * Call `listener` with the present list of a kind, if there is one, and with every new one.
   *
   * @template {keyof Lists} Kind
   * @param {Kind} kind
   * @param {(list: Lists[Kind]) => void} listener
   */
  watch(kind, listener) {
    const list = this.lists[kind];
    if (list) listener(list);
    return this.#news.on(kind, listener);
  }

  /**
   * Call `draw` with each picture; the next is sent when it has returned.
   *
   * @param {Which} which
   * @param {(picture: ImageBitmap) => void} draw
   */
  onPicture(which, draw) {
    return this.#pictures.on(which, ({ picture }) => draw(picture));
  }

  /**
   * Say what pictures are wanted.
   *
   * @param {Partial<Record<Which, Wish>>} wishes
   */
  want(wishes) {
    this.#wishes = wishes;
    this.#wish();
  }

  #wish() {
    this.#say({ pictures: document.hidden ? {} : this.#wishes });
  }

  /** @param {unknown} what */
  #say(what) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(what));
  }

  #connect() {
    const url = new URL("/page/live", this.origin);
    url.protocol = this.origin.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.#socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#wish();
    socket.onmessage = (event) => {
      if (typeof event.data === "string") this.#list(event.data);
      else void this.#picture(event.data);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      if (this.#wanted) this.#retry = setTimeout(() => this.#wanted && !this.#socket && this.#connect(), RETRY_MS);
    };
  }

  /** @param {string} text */
  #list(text) {
    const list = JSON.parse(text);
    this.lists = { ...this.lists, [list.kind]: list };
    this.#news.tell(list.kind, list);
  }

  /** @param {ArrayBuffer} data */
  async #picture(data) {
    const which = WHICH[new Uint8Array(data, 0, 1)[0] ?? 0] ?? "output";
    try {
      const picture = await createImageBitmap(new Blob([new Uint8Array(data, 1)], { type: "image/jpeg" }));
      this.#pictures.tell(which, { which, picture, sent: 0 });
      picture.close();
    } finally {
      this.#say({ seen: which });
    }
  }
}
