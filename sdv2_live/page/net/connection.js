/** The show's values over OSCQuery: its tree, and its WebSocket for news and for what the hand does. Mends itself. */

import { decode, encode } from "./osc.js";
import { ROOT, read, rowsOf } from "./table.js";
import { Topics } from "./topics.js";

/** @typedef {import("./osc.js").Arg} Arg */
/** @typedef {import("./table.js").Row} Row */
/** @typedef {{ state: State, since: number, why: string }} Line */
/** @typedef {"connecting" | "open" | "lost"} State */
/** @typedef {{ kind: "clamped" | "refused", text: string }} Answer */

const RETRY_MS = [250, 500, 1000, 2000];
const ASK_MS = 1000; // between signs of life that are asked for
const SILENT_MS = 3500; // without one the connection is lost: a laptop slept, or the Wi-Fi is gone
const MAX_UNSENT = 1 << 16; // bytes; what is newer waits, and only the newest value of an address
const FRAME_MS = 16;
const STATE = "state";
const TABLE = "table";

export class Connection {
  /** @type {Map<string, Row>} by address */
  rows = new Map();
  /** @type {Map<string, Arg>} by address */
  #values = new Map();
  /** @type {Topics<Arg>} */
  #news = new Topics();
  /** @type {Topics<Answer>} */
  #answers = new Topics();
  /** @type {Topics<void>} */
  #changes = new Topics();
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Map<string, Arg[]>} what waits to be sent, by address */
  #unsent = new Map();
  #sending = 0;
  #tries = 0;
  #retry = 0;
  #heard = 0;
  #reading = 0;
  /** @type {Line} */
  line = { state: "connecting", since: Date.now(), why: "" };

  /** @param {URL} origin */
  constructor(origin) {
    this.origin = origin;
  }

  /** Connect, and stay connected. */
  start() {
    setInterval(() => this.#pulse(), ASK_MS);
    for (const event of ["online", "focus", "pageshow"]) addEventListener(event, () => this.#hurry());
    document.addEventListener("visibilitychange", () => this.#hurry());
    void this.#connect();
  }

  /**
   * The value of a parameter or a status, by name without /sdv2/.
   *
   * @param {string} name
   * @returns {Arg | undefined}
   */
  value(name) {
    return this.#values.get(ROOT + name);
  }

  /**
   * @param {string} name
   * @returns {Row | undefined}
   */
  row(name) {
    return this.rows.get(ROOT + name);
  }

  /**
   * Call `listener` with the present value, if there is one, and with every new one.
   *
   * @param {string} address
   * @param {(value: Arg) => void} listener
   */
  watch(address, listener) {
    const value = this.#values.get(address);
    if (value !== undefined) listener(value);
    return this.#news.on(address, listener);
  }

  /**
   * Call `listener` when the show answers a message to this address: it was clamped or refused.
   *
   * @param {string} address
   * @param {(answer: Answer) => void} listener
   */
  onAnswer(address, listener) {
    return this.#answers.on(address, listener);
  }

  /** @param {() => void} listener to the connection's state, in `line` */
  onState(listener) {
    return this.#changes.on(STATE, listener);
  }

  /** @param {() => void} listener to new, changed or vanished rows */
  onTable(listener) {
    return this.#changes.on(TABLE, listener);
  }

  /**
   * Send a message. Nothing is sent without a connection: a press must not act a minute later.
   *
   * @param {string} name without /sdv2/
   * @param {Arg[]} args
   */
  send(name, ...args) {
    if (this.line.state === "open") this.#write(ROOT + name, args);
  }

  /**
   * Send the newest value of an address at most once a frame.
   *
   * @param {string} name without /sdv2/
   * @param {Arg} value
   */
  glide(name, value) {
    if (this.line.state !== "open") return;
    this.#unsent.set(ROOT + name, [value]);
    if (!this.#sending) this.#sending = setTimeout(() => this.#flush(), FRAME_MS);
  }

  #flush() {
    this.#sending = 0;
    for (const [address, args] of this.#unsent) {
      if ((this.#socket?.bufferedAmount ?? 0) > MAX_UNSENT) {
        this.#sending = setTimeout(() => this.#flush(), FRAME_MS);
        return;
      }
      this.#unsent.delete(address);
      this.#write(address, args);
    }
  }

  /**
   * @param {string} address
   * @param {Arg[]} args
   */
  #write(address, args) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encode(address, ...args));
  }

  async #connect() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    try {
      await this.#readTree();
    } catch (error) {
      this.#lost(error instanceof Refused ? error.message : "");
      return;
    }
    const url = new URL("/", this.origin);
    url.protocol = this.origin.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.#socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#received(event.data);
    socket.onclose = () => this.#socket === socket && this.#lost("");
  }

  async #readTree() {
    const answer = await fetch(new URL("/sdv2", this.origin), {
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(SILENT_MS),
    });
    if (!answer.ok) throw new Refused(answer.status);
    this.rows = new Map(rowsOf(await answer.json()).map((row) => [row.address, row]));
    for (const row of this.rows.values()) if (row.readable) this.#tell(row.address, row.value);
    this.#changes.tell(TABLE);
  }

  #opened() {
    this.#tries = 0;
    this.#heard = Date.now();
    this.line = { state: "open", since: Date.now(), why: "" };
    this.#listen();
    this.#changes.tell(STATE);
  }

  #listen() {
    for (const row of this.rows.values()) if (row.readable) this.#command("LISTEN", row.address);
  }

  /**
   * @param {string} command
   * @param {string} address
   */
  #command(command, address) {
    this.#socket?.send(JSON.stringify({ COMMAND: command, DATA: address }));
  }

  /** @param {ArrayBuffer | string} data */
  #received(data) {
    this.#heard = Date.now();
    if (typeof data === "string") {
      if (JSON.parse(data).COMMAND === "PATH_CHANGED") this.#readAgain();
      return;
    }
    for (const { address, args } of decode(data)) {
      if (address === `${ROOT}error` || address === `${ROOT}warning`) {
        const kind = address === `${ROOT}error` ? "refused" : "clamped";
        this.#answers.tell(String(args[0]), { kind, text: String(args[1] ?? "") });
      } else this.#tell(address, args[0] ?? null);
    }
  }

  /**
   * @param {string} address
   * @param {Arg} value
   */
  #tell(address, value) {
    const row = this.rows.get(address);
    const meant = row ? read(row, value) : value;
    this.#values.set(address, meant);
    this.#news.tell(address, meant);
  }

  #readAgain() {
    clearTimeout(this.#reading);
    this.#reading = setTimeout(() => {
      this.#readTree().then(
        () => this.#listen(),
        () => this.#socket?.close(),
      );
    }, 100);
  }

  /** Ask for a sign of life: LISTEN is answered with the value. */
  #pulse() {
    if (this.line.state !== "open") return;
    if (Date.now() - this.#heard > SILENT_MS) {
      this.#socket?.close();
      this.#lost("");
      return;
    }
    const asked = [...this.rows.values()].find((row) => row.hinted && row.readable);
    if (asked) this.#command("LISTEN", asked.address);
  }

  #hurry() {
    if (document.hidden) return;
    if (this.line.state === "open") this.#pulse();
    else if (this.#retry) void this.#connect();
  }

  /** @param {string} why */
  #lost(why) {
    this.#socket = null;
    this.#unsent.clear();
    if (this.line.state !== "lost" || this.line.why !== why) {
      this.line = { state: "lost", since: this.line.state === "lost" ? this.line.since : Date.now(), why };
      this.#changes.tell(STATE);
    }
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#connect(), RETRY_MS[Math.min(this.#tries, RETRY_MS.length - 1)]);
    this.#tries += 1;
  }
}

/** The show answers, but not to this page. */
class Refused extends Error {
  /** @param {number} status */
  constructor(status) {
    super(
      status === 401 || status === 403
        ? "The show wants its token: open the address that it printed when it started."
        : `The show answered ${status}.`,
    );
  }
}
