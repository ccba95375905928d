/** OSC 1.0 packets: messages to bytes and back. */

/** @typedef {number | string | bigint | boolean | null} Arg */
/** @typedef {{ address: string, args: Arg[] }} Message */

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const BUNDLE = "#bundle";

/** @param {string} text */
function padded(text) {
  const bytes = encoder.encode(text);
  const out = new Uint8Array((bytes.length + 4) & ~3);
  out.set(bytes);
  return out;
}

/**
 * The packet of one message. Numbers go as doubles, so that 0.62 arrives as 0.62.
 *
 * @param {string} address
 * @param {Arg[]} args
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encode(address, ...args) {
  let tags = ",";
  const parts = [];
  for (const arg of args) {
    if (typeof arg === "boolean") tags += arg ? "T" : "F";
    else if (typeof arg === "number") {
      tags += "d";
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, arg);
      parts.push(bytes);
    } else if (arg !== null) {
      tags += "s";
      parts.push(padded(String(arg)));
    }
  }
  const all = [padded(address), padded(tags), ...parts];
  const packet = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    packet.set(part, at);
    at += part.length;
  }
  return packet;
}

class Reader {
  /** @param {DataView} view */
  constructor(view) {
    this.view = view;
    this.at = 0;
  }

  get done() {
    return this.at >= this.view.byteLength;
  }

  text() {
    let end = this.at;
    while (this.view.getUint8(end)) end += 1;
    const text = decoder.decode(new Uint8Array(this.view.buffer, this.view.byteOffset + this.at, end - this.at));
    this.at = (end + 4) & ~3;
    return text;
  }

  /** @param {number} size */
  skip(size) {
    this.at += size;
    return this.at - size;
  }

  /**
   * @param {string} tag
   * @returns {Arg}
   */
  argument(tag) {
    switch (tag) {
      case "i":
        return this.view.getInt32(this.skip(4));
      case "h":
        return this.view.getBigInt64(this.skip(8));
      case "f":
        return this.view.getFloat32(this.skip(4));
      case "d":
        return this.view.getFloat64(this.skip(8));
      case "s":
      case "S":
        return this.text();
      case "T":
        return true;
      case "F":
        return false;
      case "N":
      case "I":
        return null;
      default:
        throw new RangeError(`OSC type ${tag} is not read here`);
    }
  }
}

/**
 * The messages of a packet, those of bundles included.
 *
 * @param {ArrayBuffer} packet
 * @returns {Message[]}
 * @throws {RangeError} the packet is cut short, or has a type that the show never sends
 */
export function decode(packet) {
  return element(new DataView(packet));
}

/**
 * @param {DataView} view
 * @returns {Message[]}
 */
function element(view) {
  const reader = new Reader(view);
  const address = reader.text();
  if (address !== BUNDLE) {
    const tags = reader.text().slice(1);
    return [{ address, args: [...tags].map((tag) => reader.argument(tag)) }];
  }
  reader.skip(8); // time tag: everything is shown at once
  const messages = [];
  while (!reader.done) {
    const size = view.getInt32(reader.skip(4));
    messages.push(...element(new DataView(view.buffer, view.byteOffset + reader.skip(size), size)));
  }
  return messages;
}
