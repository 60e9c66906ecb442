// One job: how far it is, what it was given, and what came of it, step by step where it has steps.

import { call } from "../api.js";
import { h } from "../dom.js";
import { pretty, short } from "../format.js";
import { badge, copyable, facts, moment, style, top } from "../parts.js";
import { to } from "../routes.js";
import { following } from "./following.js";
import { outcome } from "./job/outcome.js";
import { sessionOf, workspaceOf } from "./job/words.js";
import { cancel, OPEN, retry } from "./jobs.js";

export async function show({ params, signal }) {
  await style("account");
  return following({
    tags: ["jobs"],
    load: () => call("get-job", { path: params, signal }),
    say: (job) => `The job is ${job.status}.`,
    draw,
    signal,
  });
}

function draw(job) {
  const open = OPEN.includes(job.status);
  const act = open
    ? h("button", { type: "button", class: "danger", onclick: () => cancel(job) }, "Cancel")
    : h("button", { type: "button", onclick: () => retry(job) }, "Run again");
  return [
    h("p", { class: "trail" }, h("a", { href: to("/jobs") }, "All jobs")),
    top(["Job ", h("code", null, short(job.id)), " ", badge(job.status)], act),
    job.error ? h("p", { class: "said bad" }, h("strong", null, "It failed: "), job.error) : null,
    h("section", { class: "card" }, known(job)),
    h("section", { class: "card" }, h("h2", null, "Result"), ...outcome(job)),
    h("section", { class: "card" }, h("h2", null, "Input"), copyable(pretty(job.input), "Copy", "Copy the input")),
  ];
}

function known(job) {
  const session = sessionOf(job);
  const workspace = workspaceOf(job);
  return facts([
    ["Id", h("code", null, job.id)],
    ["Kind", job.kind],
    ["Created", moment(job.created_at)],
    ["Changed", moment(job.updated_at)],
    ["Not before", job.run_at && moment(job.run_at)],
    ["Idempotency key", job.idempotency_key && h("code", null, job.idempotency_key)],
    ["Session", session && h("a", { href: to("/sessions/{id}", { id: session }) }, session)],
    ["Workspace", workspace && h("a", { href: to("/workspaces/{id}", { id: workspace }) }, workspace)],
  ]);
}
