// The evidence: of each operation and status, on which axes it was seen, and why it was not.

import { call } from "../../api.js";
import { open } from "../../dialog.js";
import { freshId, h } from "../../dom.js";
import * as live from "../../live.js";
import { facts } from "../../parts.js";
import { table } from "../../table.js";

/** The axes, which are never summed, with what a mark on each says. */
const AXES = [
  { name: "declared", title: "Declared", about: "the document says that it can come" },
  { name: "driven", title: "Driven", about: "a request was carried out and answered so" },
  { name: "refused", title: "Refused", about: "a request was refused so, as documented" },
  { name: "stateful", title: "Stateful", about: "it came in a sequence that leads from state to state" },
  { name: "live", title: "Live", about: "the real service answered so, at a date" },
];
const SEEN = ["driven", "refused"];

export async function show({ query, signal }) {
  let installed = [];
  let ofRun = [];
  let rows = [];
  const id = freshId("evidence");
  const list = table({
    label: "Evidence by operation and status",
    columns: [
      { title: "Operation", narrow: "1.6fr", render: (one) => one.operation },
      { title: "Status", width: "4.5rem", narrow: "2.75rem", render: (one) => one.status },
      ...AXES.map((axis) => ({
        title: axis.title,
        width: axis.name === "live" ? "7rem" : "5.5rem",
        narrow: "3.5rem",
        minor: !SEEN.includes(axis.name),
        render: (one) => mark(one, axis),
      })),
      { title: "Not seen, because", minor: true, render: (one) => h("span", { title: one.reason }, one.reason) },
    ],
    identify: (one) => `${one.operation} ${one.status}`,
    act: (one) => showOperation(one.all),
    empty: "Nothing fits.",
  });
  const search = h("input", {
    id, type: "search", autocomplete: "off", spellcheck: "false", value: query.operation ?? "", oninput: filter,
    placeholder: "an operation or a status",
  });
  const source = h("select", { id: `${id}-of`, onchange: choose });
  const marks = h(
    "select",
    { id: `${id}-marks`, onchange: filter },
    h("option", { value: "" }, "any"),
    h("option", { value: "unseen" }, "not seen by any run"),
    AXES.slice(1).map((axis) => h("option", { value: axis.name }, `with ${axis.title.toLowerCase()}`)),
    AXES.slice(1).map((axis) => h("option", { value: `no ${axis.name}` }, `without ${axis.title.toLowerCase()}`)),
  );
  const none = h("p", { class: "card lead", hidden: true });
  const shown = h("div", null);

  function choose() {
    rows = (source.value === "run" ? ofRun : installed).flatMap(rowsOf);
    filter();
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [axis, without] = [marks.value.replace(/^no /, ""), marks.value.startsWith("no ")];
    const fits = (one) => {
      if (marks.value === "unseen") return !SEEN.some((each) => has(one, each));
      return !axis || has(one, axis) !== without;
    };
    list.set(rows.filter((one) => fits(one) && words.every((word) => `${one.operation} ${one.status}`.includes(word))));
  }

  async function look() {
    const [evidence, kept] = await Promise.all([
      call("get-contract-evidence", { signal }),
      call("get-contract-report", { signal }),
    ]);
    installed = evidence.operations;
    ofRun = Object.entries(kept.report?.operations ?? {}).map(([operation, one]) => ({ operation, ...one }));
    const before = source.value;
    const options = [];
    if (installed.length) options.push(["kept", "what is known of whole runs"]);
    if (ofRun.length) options.push(["run", "the last run handed over"]);
    source.replaceChildren(
      ...options.map(([value, words]) => h("option", { value, selected: value === before }, words)),
    );
    none.hidden = options.length > 0;
    shown.hidden = options.length === 0;
    none.textContent =
      "There is no evidence: the contract tests are not installed beside this emulator (chaser-emulator[contract]), " +
      "and no run has handed its report over.";
    choose();
  }

  await look();
  live.changed(["contract"], () => look().catch(() => {}), signal);
  shown.append(
    h(
      "details",
      { class: "axes" },
      h("summary", null, "What the marks say"),
      facts(AXES.map((axis) => [axis.title, axis.about])),
    ),
    h(
      "div",
      { class: "seek" },
      h("div", { class: "sought" }, h("label", { for: id }, "Find"), search),
      h("div", { class: "sought" }, h("label", { for: `${id}-marks` }, "Marks"), marks),
      h("div", { class: "sought" }, h("label", { for: `${id}-of` }, "From"), source),
    ),
    list.node,
  );
  return h("div", null, none, shown);
}

function rowsOf(one) {
  return one.declared.map((status) => {
    const row = { operation: one.operation, status, all: one };
    const seen = SEEN.some((axis) => has(row, axis));
    return { ...row, reason: seen ? "" : (one.reasons?.[status] ?? "no reason is given") };
  });
}

/** Whether a status of an operation has a mark on an axis. */
function has({ all, status }, axis) {
  if (axis === "live") return all.live?.[status] !== undefined;
  return (all[axis] ?? []).includes(status);
}

function mark(one, axis) {
  if (!has(one, axis.name)) return h(
    "span",
    { class: "soft" },
    h("span", { "aria-hidden": "true" }, "–"),
    h("span", { class: "unseen" }, "no"),
  );
  if (axis.name === "live") return one.all.live[one.status];
  return h(
    "span",
    { class: "marked" },
    h("span", { "aria-hidden": "true" }, "✓"),
    h("span", { class: "unseen" }, "yes"),
  );
}

function showOperation(one) {
  const rows = rowsOf(one);
  return open({
    title: one.operation,
    wide: true,
    content: () =>
      h(
        "div",
        { class: "body scrolled", tabindex: 0, role: "region", "aria-label": `Evidence of ${one.operation}` },
        h(
          "table",
          { class: "marks" },
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              h("th", { scope: "col" }, "Status"),
              AXES.map((axis) => h("th", { scope: "col" }, axis.title)),
            ),
          ),
          h(
            "tbody",
            null,
            rows.map((row) => h(
              "tr",
              null,
              h("th", { scope: "row" }, row.status),
              AXES.map((axis) => h("td", null, mark(row, axis))),
            )),
          ),
        ),
        h(
          "ul",
          { class: "soft notes" },
          rows.filter((row) => row.reason).map((row) => h("li", null, `${row.status} was not seen: ${row.reason}`)),
        ),
      ),
  });
}
