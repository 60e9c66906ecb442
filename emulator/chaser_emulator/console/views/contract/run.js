// The last run of the contract tests: its sum, its findings, and what came of each part.

import { call } from "../../api.js";
import { fill, freshId, h } from "../../dom.js";
import { counted, seconds } from "../../format.js";
import * as live from "../../live.js";
import { badge, copyable, facts, moment } from "../../parts.js";
import { table } from "../../table.js";
import { showFinding } from "./finding.js";

const OUTCOMES = { failed: "bad", error: "bad", skipped: "warn", passed: "good" };

export async function show({ signal }) {
  const node = h("div");
  async function look() {
    const { report } = await call("get-contract-report", { signal });
    fill(node, report ? reportNode(report) : nothing());
  }
  await look();
  live.changed(["contract"], look, signal);
  return node;
}

function nothing() {
  return h(
    "section",
    { class: "card" },
    h("h2", null, "No report yet"),
    h("p", { class: "lead" }, "A run of the contract tests against this emulator hands its report over at its end:"),
    copyable(`chaser-contract run --url ${location.origin}`),
    h("p", { class: "soft spaced" }, "A report that was written with --json can be loaded as well."),
  );
}

function reportNode(report) {
  return [
    summary(report),
    findings("Findings", report.findings, "Nothing was found."),
    report.accepted?.length ? findings("Accepted by the baseline", report.accepted, "") : null,
    parts(report.parts),
  ];
}

function summary(report) {
  const counts = Object.keys(OUTCOMES).map((status) => [
    status,
    report.parts.filter((one) => one.status === status).length,
  ]);
  const many = report.findings.length;
  const verdict =
    many > 0
      ? badge(counted(many, "finding"), "bad")
      : report.exit_code === 0
        ? badge("nothing found", "good")
        : badge("could not run", "bad");
  const words = [
    ["Verdict", verdict],
    ["About", report.url],
    ["Begun", moment(new Date(report.begun).toISOString())],
    ["Took", seconds(report.seconds)],
    ["Requests", report.requests?.toLocaleString("en")],
    ["Parts", counts.filter(([, count]) => count).map(([status, count]) => `${count} ${status}`).join(", ")],
    ["To repeat it", report.seed !== undefined ? `--seed ${report.seed} --examples ${report.examples ?? 10}` : null],
  ];
  const notes = [...(report.notes ?? []), ...(report.left ?? []).map((one) => `left behind: ${one}`)];
  return h(
    "section",
    { class: "card", "aria-labelledby": "run-title" },
    h("h2", { id: "run-title" }, "The last run"),
    facts(words),
    notes.length ? h("ul", { class: "soft notes" }, notes.map((one) => h("li", null, one))) : null,
  );
}

function findings(title, all, empty) {
  const places = new Map(all.map((one, at) => [one, at]));
  const list = table({
    label: title,
    columns: [
      { title: "Promise", render: (one) => h("span", { title: one.promise }, one.promise) },
      { title: "Came", minor: true, render: (one) => h("span", { title: one.came }, one.came) },
      { title: "Part", width: "15rem", minor: true, render: (one) => h("code", { title: one.part }, one.part) },
    ],
    identify: (one) => places.get(one),
    act: showFinding,
    empty,
  });
  list.node.classList.add("fits");
  list.set(all);
  // What is empty says so.
  return h(
    "section",
    { class: "contract-block" },
    h("h2", null, title),
    all.length ? list.node : h("p", { class: "soft" }, empty),
  );
}

function parts(given) {
  const id = freshId("parts");
  const order = Object.keys(OUTCOMES);
  // What somebody has to look at comes first.
  const all = [...given].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  const list = table({
    label: "Parts of the run",
    columns: [
      { title: "Part", render: (one) => h("code", { title: one.name }, one.name) },
      { title: "Outcome", width: "6rem", narrow: "5.5rem", render: (one) => badge(one.status, OUTCOMES[one.status]) },
      { title: "Requests", width: "6rem", minor: true, numeric: true, render: (one) => one.requests },
      { title: "Took", width: "6rem", minor: true, numeric: true, render: (one) => seconds(one.seconds) },
      { title: "Why", minor: true, render: (one) => h("span", { title: one.reason }, one.reason) },
    ],
    identify: (one) => one.name,
    empty: "No part fits.",
  });
  const search = h("input", { id, type: "search", autocomplete: "off", spellcheck: "false", oninput: filter });
  const outcome = h(
    "select",
    { id: `${id}-outcome`, onchange: filter },
    h("option", { value: "" }, "any"),
    Object.keys(OUTCOMES).map((one) => h("option", { value: one }, one)),
  );

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (one) =>
      (!outcome.value || one.status === outcome.value) &&
      words.every((word) => `${one.name} ${one.reason ?? ""}`.toLowerCase().includes(word));
    list.set(all.filter(fits));
  }

  filter();
  return h(
    "section",
    { class: "contract-block" },
    h("h2", null, "Parts"),
    h(
      "div",
      { class: "seek" },
      h("div", { class: "sought" }, h("label", { for: id }, "Find"), search),
      h("div", { class: "sought" }, h("label", { for: `${id}-outcome` }, "Outcome"), outcome),
    ),
    list.node,
  );
}
