// Jobs of GitHub Actions that are known here, in place of GitHub's own events: a runner can be queued for each.

import { call } from "../../api.js";
import { ask, attempt, confirm } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf } from "../../form.js";
import { moment } from "../../parts.js";
import { to } from "../../routes.js";
import { table } from "../../table.js";
import { following } from "../following.js";

/** Those that are registered, and a way to run each. */
export function list({ signal }) {
  return following({
    tags: ["workflow-jobs"],
    load: () => call("list-workflow-jobs", { signal }),
    draw: ({ workflow_jobs: jobs }) => {
      const rows = table({
        label: "Workflow jobs",
        columns: [
          { title: "Id", width: "4rem", minor: true, render: (one) => String(one.workflow_job_id) },
          {
            title: "Repository",
            width: "minmax(0, 1fr)",
            render: (one) => (one.ref ? `${one.repository}@${one.ref}` : one.repository),
          },
          { title: "Workflow", width: "minmax(0, 1fr)", minor: true, render: (one) => h("code", null, one.workflow) },
          { title: "Job", width: "minmax(0, 0.7fr)", render: (one) => one.job },
          { title: "Registered", width: "11rem", minor: true, render: (one) => moment(one.created_at) },
          { title: "Actions", width: "9rem", narrow: "4.75rem", render: (one) => actions(one) },
        ],
        identify: (one) => one.workflow_job_id,
        empty: "No workflow jobs. Register one, and queue a job of the kind github.runner for it.",
      });
      rows.set(jobs);
      return [
        h(
          "p",
          { class: "soft" },
          "What GitHub would tell of by an event. “Run” queues a runner, a job that carries it out in a fresh sandbox.",
        ),
        rows.node,
      ];
    },
    signal,
  });
}

/** Ask for one, and make it known. */
export async function register() {
  const form = await formOf("register-workflow-job", { open: ["ref"] });
  await ask({
    title: "Register a workflow job",
    verb: "Register",
    form,
    submit: (body) => call("register-workflow-job", { body }),
  });
}

function actions(one) {
  const id = one.workflow_job_id;
  const run = async () => {
    const repo = one.ref ? `${one.repository}@${one.ref}` : one.repository;
    let job = null;
    const body = { kind: "github.runner", input: { repo, workflow_job_id: id } };
    const went = await attempt(async () => {
      job = await call("create-job", { body });
    });
    if (went) location.hash = to("/jobs/{id}", { id: job.id });
  };
  const forget = async () => {
    const text = `Workflow job ${id} is forgotten; a runner that is queued for it will fail.`;
    if (!(await confirm({ title: "Forget this workflow job?", text, verb: "Forget it" }))) return;
    await attempt(() => call("delete-workflow-job", { path: { id } }), "Forgotten.");
  };
  return h(
    "div",
    { class: "actions" },
    h("button", { type: "button", class: "small", "aria-label": `Run workflow job ${id}`, onclick: run }, "Run"),
    h(
      "button",
      { type: "button", class: "small danger", "aria-label": `Forget workflow job ${id}`, onclick: forget },
      "Forget",
    ),
  );
}
