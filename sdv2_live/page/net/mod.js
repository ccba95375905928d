/** The slots of modulation, as the table has them. */

import { link } from "../show.js";

/** @typedef {import("./table.js").Row} Row */

const SLOT = /^mod\/(\d+)\/(.+)$/;

/** Numbers of the slots that the show has. */
export function slots() {
  const numbers = [...link.rows.values()].map((row) => SLOT.exec(row.name)?.[1]).filter((number) => number !== undefined);
  return [...new Set(numbers)];
}

/**
 * The rows of a slot.
 *
 * @param {string} slot
 * @returns {Row[]}
 */
export function rowsOf(slot) {
  return [...link.rows.values()].filter((row) => SLOT.exec(row.name)?.[1] === slot);
}

/**
 * A value of a slot as text.
 *
 * @param {string} slot
 * @param {string} what
 */
export function text(slot, what) {
  return String(link.value(`mod/${slot}/${what}`) ?? "");
}

/**
 * True for a slot that moves something, or did so far.
 *
 * @param {string} slot
 */
export function isUsed(slot) {
  return isOn(slot) || Number(text(slot, "depth")) !== 0;
}

/**
 * True for a slot that moves its target.
 *
 * @param {string} slot
 */
export function isOn(slot) {
  return link.value(`mod/${slot}/on`) === true;
}

/**
 * How far the slots move a parameter below and above its fader, in its own unit.
 *
 * @param {string} name
 * @returns {[number, number]}
 */
export function swing(name) {
  let [down, up] = [0, 0];
  for (const slot of slots().filter((one) => isOn(one) && text(one, "target") === name)) {
    const span = Number(text(slot, "depth")) * (Number(text(slot, "max")) - Number(text(slot, "min")));
    const both = text(slot, "polarity") === "both";
    down += both ? -Math.abs(span) : Math.min(0, span);
    up += both ? Math.abs(span) : Math.max(0, span);
  }
  return [down, up];
}
