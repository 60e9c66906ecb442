// The lines of one file that differ between two states, side by side with their numbers.

import { call } from "../../api.js";
import { open } from "../../dialog.js";
import { fill, h } from "../../dom.js";
import { plainName } from "../../tree.js";

const SIGNS = { same: " ", removed: "−", added: "+" };
const TITLES = ["Line before", "Line after", "What", "Text"];
const SAID = { added: "It was added.", removed: "It was removed.", same: "It holds the same in both.", changed: null };

/** Show them in a dialog; `names` are what the two states are called. */
export async function showLines({ workspace, path, from, until, names }) {
  const content = h("div", { class: "body", role: "status" }, "Comparing …");
  const closed = open({ title: `${plainName(path)}: ${names[0]} → ${names[1]}`, wide: true, content: () => content });
  try {
    const found = await call("diff-workspace-file", { path: { ws: workspace.id }, query: { from, to: until, path } });
    fill(content, drawn(found));
  } catch (error) {
    fill(content, h("p", { class: "problem" }, error.message));
  }
  await closed;
}

function drawn({ change, binary, hunks, truncated }) {
  const notes = [SAID[change]];
  if (binary) notes.push("One of the two is no text, so there are no lines to compare.");
  else if (!hunks.length && change !== "same") notes.push("It is empty.");
  if (truncated) notes.push("There are more lines that differ than are shown.");
  return [
    notes.filter(Boolean).map((text) => h("p", { class: "soft" }, text)),
    hunks.length
      ? h(
          "div",
          { class: "diff", tabindex: 0, role: "region", "aria-label": "Lines that differ" },
          h("table", null,
            h("thead", { class: "unseen" }, h("tr", null, TITLES.map((one) => h("th", { scope: "col" }, one)))),
            hunks.map(hunkOf)),
        )
      : null,
  ];
}

function hunkOf({ before, after, lines }, at) {
  let [old, now] = [before, after];
  const rows = lines.map(({ kind, text, unended }) =>
    h(
      "tr",
      { class: kind },
      h("td", { class: "number" }, kind === "added" ? "" : old++),
      h("td", { class: "number" }, kind === "removed" ? "" : now++),
      h("td", { class: "sign" },
        h("span", { "aria-hidden": "true" }, SIGNS[kind]),
        kind === "same" ? null : h("span", { class: "unseen" }, kind)),
      h("td", { class: "text" },
        text.replaceAll("\r", "␍"),
        unended ? h("span", { class: "soft" }, " (no newline at the end)") : null),
    ),
  );
  const gap = at > 0 ? h("tr", { class: "gap" }, h("td", { colspan: 4 }, "⋯")) : null;
  return h("tbody", null, gap, rows);
}
