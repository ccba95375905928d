/** The parameter table, read from OSCQuery's tree. Whatever is a row here appears on the page by itself. */

/** @typedef {import("./osc.js").Arg} Arg */

/**
 * @typedef {object} Node One node of OSCQuery's tree.
 * @property {string} FULL_PATH
 * @property {number} [ACCESS]
 * @property {Record<string, Node>} [CONTENTS]
 * @property {string} [TYPE]
 * @property {(number | string | boolean | null)[]} [VALUE]
 * @property {{ MIN?: number, MAX?: number, VALS?: string[] }[]} [RANGE]
 * @property {string} [DESCRIPTION]
 * @property {string[]} [UNIT]
 * @property {Hints} [HINTS]
 */

/**
 * @typedef {object} Hints Of a row of the table; all are optional.
 * @property {number | string | boolean | null} [default]
 * @property {string} [label]
 * @property {string} [group]
 * @property {number} [rank] 1 always on screen, 2 in its panel, 3 only in the drawer of all parameters
 * @property {[number, number]} [span] what a fader covers, where the range is wider
 * @property {string} [widget]
 * @property {string} [applies]
 * @property {number} [length] the most characters of a text
 */

/**
 * @typedef {object} Row One address with a value.
 * @property {string} address
 * @property {string} name without /sdv2/
 * @property {string} label
 * @property {string} group
 * @property {number} rank
 * @property {Widget} widget
 * @property {string} unit
 * @property {number} low
 * @property {number} high of a number, or of a text's length; Infinity where there is no end
 * @property {[number, number]} span
 * @property {boolean} whole integers only
 * @property {boolean} boolean
 * @property {string[]} choices
 * @property {number | string | boolean | null} usual the default; null is none
 * @property {string} applies
 * @property {string} doc
 * @property {boolean} readable
 * @property {boolean} writable
 * @property {boolean} hinted it is a row of the parameter table, no action and no status
 * @property {Arg} value as the tree had it
 */

/** @typedef {"fader" | "value" | "seed" | "switch" | "key" | "choice" | "text" | "steps" | "tiles" | "trigger"} Widget */

export const ROOT = "/sdv2/";
export const GROUPS = ["look", "motion", "prompts", "safety", "model", "tempo", "mod", "sound", "feedback", "input", "output"];
export const MORE = "more"; // what has no group

const READ = 1;
const WRITE = 2;
const WIDGETS = ["fader", "value", "seed", "switch", "key", "choice", "text", "steps", "tiles", "trigger"];
const BAR_UP_TO = 1000;

/**
 * All rows of a tree, in its order.
 *
 * @param {Node} node
 * @returns {Row[]}
 */
export function rowsOf(node) {
  if (node.CONTENTS) return Object.values(node.CONTENTS).flatMap(rowsOf);
  return node.TYPE === undefined ? [] : [row(node)];
}

/**
 * @param {Node} node
 * @returns {Row}
 */
function row(node) {
  const hints = node.HINTS ?? {};
  const range = node.RANGE?.[0] ?? {};
  const name = node.FULL_PATH.replace(ROOT, "");
  const access = node.ACCESS ?? 0;
  const low = range.MIN ?? 0;
  const high = hints.length ?? range.MAX ?? Infinity;
  return {
    address: node.FULL_PATH,
    name,
    label: hints.label ?? labelOf(name),
    group: hints.group ?? MORE,
    rank: hints.rank ?? 3,
    widget: widgetOf(node, hints),
    unit: node.UNIT?.[0] ?? "",
    low,
    high,
    span: hints.span ?? [low, high],
    whole: node.TYPE === "i" || node.TYPE === "h",
    boolean: node.TYPE === "T" || node.TYPE === "F",
    choices: range.VALS ?? [],
    usual: hints.default ?? null,
    applies: hints.applies ?? "",
    doc: node.DESCRIPTION ?? "",
    readable: Boolean(access & READ),
    writable: Boolean(access & WRITE),
    hinted: node.HINTS !== undefined,
    value: node.VALUE?.[0] ?? null,
  };
}

/** @param {string} name */
function labelOf(name) {
  const words = (name.split("/").at(-1) ?? name).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/**
 * @param {Node} node
 * @param {Hints} hints
 * @returns {Widget}
 */
function widgetOf(node, hints) {
  if (hints.widget && WIDGETS.includes(hints.widget)) return /** @type {Widget} */ (hints.widget);
  if (node.FULL_PATH.startsWith(`${ROOT}preset/`)) return "tiles";
  if (node.ACCESS === WRITE) return "trigger";
  switch (node.TYPE) {
    case "T":
    case "F":
      return "switch";
    case "f":
    case "d":
      return "fader";
    case "i":
    case "h":
      return (node.RANGE?.[0]?.MAX ?? Infinity) <= BAR_UP_TO ? "value" : "seed";
    default:
      return node.RANGE?.[0]?.VALS ? "choice" : "text";
  }
}

/**
 * A value as its widget takes it: booleans are sent as 1 and 0.
 *
 * @param {Row} row
 * @param {Arg} value
 * @returns {Arg}
 */
export function read(row, value) {
  return row.boolean ? Boolean(value) : value;
}

/**
 * Where a value lies on a fader, 0..1.
 *
 * @param {Row} row
 * @param {number} value
 */
export function placed(row, value) {
  const [low, high] = row.span;
  return Math.min(1, Math.max(0, (value - low) / (high - low)));
}

/**
 * A number as it is shown.
 *
 * @param {Row} row
 * @param {number} value
 */
export function written(row, value) {
  if (row.whole) return String(Math.round(value));
  return value.toFixed(row.high - row.low >= 100 ? 1 : 2);
}
