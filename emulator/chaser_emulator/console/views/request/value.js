// A JSON value as a person reads it: folded where it is large, with marks at the places that differ.

import { append, h } from "../../dom.js";
import { counted } from "../../format.js";

const FOLDED_FROM = 40;

/**
 * The node of a value. `marks` is a set of JSON pointers: what stands there, or something below it, is marked; what is
 * marked is never folded away.
 */
export function valueNode(value, marks = new Set()) {
  return h("div", { class: "value" }, part(null, value, "", marks, 0));
}

function part(name, value, pointer, marks, depth) {
  const label = name === null ? null : [h("span", { class: "name" }, name), ": "];
  const marked = marks.has(pointer) && (pointer !== "" || !isHolder(value));
  const kind = marked ? "part differs" : "part";
  if (!isHolder(value)) return h("div", { class: kind }, label, plain(value), marked && different());
  const list = Array.isArray(value);
  const entries = list ? value.map((one, at) => [at, one]) : Object.entries(value);
  const [open, close] = list ? ["[", "]"] : ["{", "}"];
  if (!entries.length) return h("div", { class: kind }, label, open, close, marked && different());
  const inside = [...marks].some((one) => one.startsWith(`${pointer}/`));
  const many = counted(entries.length, list ? "item" : "field");
  const closing = h("span", { class: "closing" }, close);
  const size = h("span", { class: "soft" }, ` ${many} `);
  const summary = h("summary", null, label, open, size, closing, marked && different());
  const details = h("details", { open: inside || depth === 0 || entries.length <= FOLDED_FROM }, summary);
  const inner = h("div", { class: "inside" });
  for (const [key, one] of entries) {
    append(inner, part(list ? null : JSON.stringify(key), one, `${pointer}/${step(key)}`, marks, depth + 1));
  }
  append(details, inner, h("div", null, close));
  return h("div", { class: kind }, details);
}

/** Said to who cannot see a colour. */
const different = () => h("span", { class: "mark" }, "differs");

const isHolder = (value) => value !== null && typeof value === "object";

function plain(value) {
  if (typeof value !== "string") return h("span", { class: value === null ? "nothing" : "number" }, String(value));
  // What a command wrote is read in lines; copied, it is JSON.
  if (value.includes("\n")) return h("span", { class: "text lines" }, value);
  return h("span", { class: "text" }, JSON.stringify(value));
}

const step = (key) => String(key).replaceAll("~", "~0").replaceAll("/", "~1");
