// All jobs: which wait, run and are over, new ones, and the jobs of GitHub Actions that a runner can take.

import { call } from "../api.js";
import { attempt, confirm } from "../dialog.js";
import { fill, h } from "../dom.js";
import { short } from "../format.js";
import * as live from "../live.js";
import { badge, moment, style, tabs, top } from "../parts.js";
import { to } from "../routes.js";
import { table } from "../table.js";
import { dotted } from "./dotted.js";
import { filters, sayable } from "./filters.js";
import { subjectOf } from "./job/words.js";

const PAGE = 100;
const HERE = "/jobs";
const PARTS = [{ name: "queue", title: "Queue" }, { name: "workflow", title: "Workflow jobs" }];

/** The states in which a job is not over yet. */
export const OPEN = ["queued", "running"];

export async function show({ query, signal }) {
  await style("account");
  const { chosen, links } = tabs("Parts of the jobs", PARTS, HERE, query);
  if (chosen.name === "workflow") {
    const { register, list } = await import("./jobs/workflows.js");
    const add = h("button", { type: "button", class: "primary", onclick: register }, "Register a workflow job");
    return h("div", null, top("Jobs", add), links, await list({ signal }));
  }
  const create = async () => {
    const { createJob } = await import("./jobs/create.js");
    await createJob();
  };
  const add = h("button", { type: "button", class: "primary", onclick: create }, "New job");
  return h("div", null, top("Jobs", add), links, await queue({ query, signal }));
}

async function queue({ query, signal }) {
  const { parameters } = await call("get-operation", { path: { id: "list-jobs" }, signal });
  const valuesOf = (name) => parameters.find((one) => one.name === name).schema.enum;
  const place = h("div");
  let list = null;
  const draw = (values) => {
    list = listOf(values, signal);
    fill(place, list.node);
  };
  const fields = [
    { name: "status", label: "Status", options: valuesOf("status") },
    { name: "kind", label: "Kind", options: valuesOf("kind") },
  ];
  const given = sayable(fields, query);
  draw(given);
  live.changed(["jobs"], () => list.refresh(), signal);
  return h("div", null, filters({ label: "Which jobs", page: HERE, fields, values: given, changed: draw }), place);
}

function listOf(values, signal) {
  const narrowed = Boolean(values.status || values.kind);
  const list = table({
    label: "Jobs",
    columns: [
      { title: "Job", width: "6.5rem", narrow: "5.5rem", render: (one) => h("code", null, short(one.id)) },
      { title: "Kind", width: "minmax(9rem, 12rem)", render: (one) => dotted(one.kind) },
      { title: "About", width: "minmax(0, 2fr)", minor: true, render: (one) => subjectOf(one) },
      { title: "Status", width: "7rem", narrow: "6rem", render: (one) => badge(one.status) },
      { title: "Created", width: "11rem", minor: true, render: (one) => moment(one.created_at) },
      { title: "Action", width: "5.5rem", minor: true, render: (one) => action(one) },
    ],
    link: (one) => to("/jobs/{id}", { id: one.id }),
    empty: narrowed ? "No job fits. Choose other filters." : "No jobs yet. “New job” queues one.",
    async next(rows) {
      const { jobs, total, has_more } = await call("list-jobs", {
        query: { ...values, limit: PAGE, offset: rows.length },
        signal,
      });
      return { rows: jobs, total, done: !has_more };
    },
  });
  return list;
}

function action(job) {
  const open = OPEN.includes(job.status);
  const [verb, what] = open ? ["Cancel", () => cancel(job)] : ["Retry", () => retry(job)];
  return h(
    "button",
    { type: "button", class: "small", "aria-label": `${verb} job ${short(job.id)}`, onclick: what },
    verb,
  );
}

/** Ask, and cancel a job. */
export async function cancel(job) {
  const text =
    job.status === "running"
      ? "What it runs is stopped, and nothing of it goes on."
      : "It leaves the queue and never runs.";
  if (!(await confirm({ title: "Cancel this job?", text, verb: "Cancel the job" }))) return;
  await attempt(() => call("cancel-job", { path: { id: job.id } }), "Canceled.");
}

/** Run a job once more; its result and its error are forgotten, so a person is asked where there is one. */
export async function retry(job) {
  const text = "It runs again with the same input. What came of it before is forgotten.";
  if (!(await confirm({ title: "Run this job again?", text, verb: "Run it again" }))) return;
  await attempt(() => call("retry-job", { path: { id: job.id } }), "Queued again.");
}
