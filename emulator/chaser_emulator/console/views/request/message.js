// One half of an exchange: its headers, and its body as far as the journal shows it.

import { fill, h } from "../../dom.js";
import { counted, pretty } from "../../format.js";
import { copy } from "../../parts.js";
import { valueNode } from "./value.js";

const NOTE = /^\[([^\]]+), (\d+) bytes\]$/;

/** A card with a heading, of what `half` shows. */
export function message(title, shown) {
  return h("section", { class: "card message", "aria-label": title }, h("h2", null, title), half(title, shown));
}

/**
 * Headers and body; `none` is said where there is no body. `differences` are those of a replay, as {in, place}: what stands
 * there is marked.
 */
export function half(title, { headers, body, none, differences = [] }) {
  const names = new Set(differences.filter((one) => one.in === "header").map((one) => one.place));
  const places = new Set(differences.filter((one) => one.in === "body").map((one) => one.place));
  return [headersOf(headers, names), bodyOf(title, body, none, places)];
}

function headersOf(headers, marked) {
  const entries = Object.entries(headers);
  if (!entries.length) return h("p", { class: "soft" }, "No headers.");
  const rows = entries.map(([name, value]) => {
    const mark = marked.has(name) ? h("span", { class: "mark" }, "differs") : null;
    return [h("dt", null, name), h("dd", { class: mark ? "differs" : null }, value, mark)];
  });
  return h(
    "details",
    { class: "headers", open: marked.size > 0 },
    h("summary", null, counted(entries.length, "header")),
    h("dl", { class: "facts" }, rows),
  );
}

function bodyOf(title, body, none, marks) {
  if (body === undefined || body === null) return h("p", { class: "soft" }, none);
  const note = typeof body === "string" && NOTE.exec(body);
  if (note) return h("p", { class: "soft" }, notShown(note[1], Number(note[2])));
  const folded = h("div", { class: "body" }, valueNode(body, marks));
  const label = `${title}: body`;
  if (typeof body === "string") {
    fill(folded, h("pre", { tabindex: 0, "aria-label": label, class: marks.size ? "differs" : null }, body));
  }
  const said = `Copy the body: ${title}`;
  const onclick = () => copy(pretty(body));
  const button = h("button", { type: "button", class: "small", "aria-label": said, onclick }, "Copy");
  return h("div", { class: "body-of" }, folded, button);
}

/** Why there is nothing to see, in the words of the journal. */
function notShown(kind, size) {
  const many = `${size.toLocaleString("en")} bytes`;
  if (kind === "no JSON") return `A body of ${many} that is no JSON; it is not shown, as it may hold a secret.`;
  if (kind === "broken JSON") return `A body of ${many} that breaks off.`;
  return `A body of ${many} (${kind}), which the journal does not show.`;
}
