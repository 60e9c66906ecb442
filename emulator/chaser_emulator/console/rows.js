// What a table does with its rows beside showing them: it finds words in them, and goes from one to another by keys.

import { freshId, h } from "./dom.js";

const texts = new WeakMap();

/** A box for words to look for; `onWords` gets them in small letters whenever they change. */
export function filterBox(label, onWords) {
  const id = freshId("filter");
  const input = h("input", { id, type: "search", autocomplete: "off", spellcheck: "false", placeholder: "Filter" });
  input.addEventListener("input", () => onWords(input.value.toLowerCase().split(/\s+/).filter(Boolean)));
  return h("div", { class: "filter" }, h("label", { for: id, class: "unseen" }, `Filter ${label.toLowerCase()}`), input);
}

/** All that a row says, in small letters; `filter` is true, or a function that answers it. */
export function textOf(row, filter) {
  const known = texts.get(row);
  if (known !== undefined) return known;
  const text = (typeof filter === "function" ? filter(row) : JSON.stringify(Object.values(row))).toLowerCase();
  texts.set(row, text);
  return text;
}

/** The place that a key leads to from another, of so many; null for a key that leads nowhere. */
export function stepOf(key, here, page, many) {
  const steps = { ArrowDown: here + 1, ArrowUp: here - 1, PageDown: here + page, PageUp: here - page, Home: 0, End: many - 1 };
  if (!(key in steps) || many === 0) return null;
  return Math.min(many - 1, Math.max(0, steps[key]));
}
