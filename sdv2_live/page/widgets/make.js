/** The widget of a row, by what the table hints. */

import { Fader } from "./fader.js";
import { Choice, Switch, Text, Trigger } from "./plain.js";
import { Seed } from "./seed.js";
import { Steps } from "./steps.js";

/** @typedef {import("../net/table.js").Row} Row */

const LETTERS = 18; // of all choices of a row: so many fit side by side on the smallest phone

/**
 * @param {Row} row
 * @returns {import("./control.js").Control}
 */
export function make(row) {
  switch (row.widget) {
    case "fader":
    case "value":
      return new Fader(row, true);
    case "switch":
    case "key":
      return new Switch(row);
    case "choice":
      return row.choices.join("").length > LETTERS ? new Choice(row, {}, 0) : new Choice(row);
    case "tiles":
      return new Choice(row, {}, 0);
    case "steps":
      return new Steps(row);
    case "seed":
      return new Seed(row);
    case "trigger":
      return new Trigger(row);
    default:
      return new Text(row);
  }
}
