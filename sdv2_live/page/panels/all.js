/** All parameters, made from the table: a new row appears here by itself. */

import { fill, h } from "../dom.js";
import { GROUPS, MORE } from "../net/table.js";
import { make } from "../widgets/make.js";
import { Drawer } from "./drawer.js";
import { shownRows } from "./look.js";

/** @typedef {import("../net/table.js").Row} Row */

export class AllDrawer extends Drawer {
  heading = "All parameters";

  list = h("div", { class: "rows" });

  setup() {
    super.setup();
    this.append(this.list);
  }

  get rows() {
    return shownRows()
      .filter((row) => row.writable)
      .sort((a, b) => a.rank - b.rank);
  }

  build() {
    const { rows } = this;
    const groups = new Set([...GROUPS, ...rows.map((row) => row.group).filter((group) => group !== MORE), MORE]);
    const sections = [...groups].map((group) => ({ group, those: rows.filter((row) => row.group === group) }));
    fill(this.list, ...sections.filter(({ those }) => those.length).map(({ group, those }) => section(group, those)));
    fill(/** @type {Element} */ (this.extra), h("span", { class: "dim num" }, String(rows.length)), h("span", { class: "dim hintd" }, "Double tap: default"));
  }
}

/**
 * @param {string} group
 * @param {Row[]} rows
 */
function section(group, rows) {
  return h("section", {}, h("h3", {}, group.charAt(0).toUpperCase() + group.slice(1)), ...rows.map(line));
}

/** @param {Row} row */
function line(row) {
  const later = row.applies === "next reset" ? h("span", { class: "x" }, row.applies) : null;
  return h("div", { class: later ? "row later" : "row", "data-widget": row.widget }, h("span", { class: "nm", title: `${row.doc} ${row.address}` }, row.label), make(row), later);
}

customElements.define("sdv2-all", AllDrawer);
