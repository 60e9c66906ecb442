// What came of a job, for people: the output of a command, the steps of a pipeline, matches of a page, else its JSON.

import { h } from "../../dom.js";
import { pretty, seconds } from "../../format.js";
import { badge, copyable, facts } from "../../parts.js";

/** Nodes that show the result of a job as far as it is. */
export function outcome(job) {
  if (job.status === "queued")
    return [h("p", { class: "soft" }, job.run_at ? "It waits for its time." : "It waits for its turn.")];
  if (job.status === "running")
    return [h("p", { class: "soft" }, "It runs; what comes of it appears here once it is over.")];
  const { result } = job;
  if (result === undefined) return [h("p", { class: "soft" }, "There is none.")];
  if (result && typeof result === "object") {
    if (Array.isArray(result.steps)) return [steps(result.steps)];
    if (result.kind === "exec") return [command(result)];
    if (Array.isArray(result.matches)) return [matches(result)];
  }
  return [copyable(pretty(result), "Copy", "Copy the result")];
}

function command(result) {
  return h(
    "div",
    { class: "stack" },
    facts([
      ["Command", h("code", null, result.command)],
      ["Status", badge(result.status)],
      ["Exit code", result.exit_code === undefined || result.exit_code === null ? null : exit(result.exit_code)],
    ]),
    output(result),
  );
}

function steps(all) {
  return h(
    "ol",
    { class: "steps" },
    all.map((step, at) => h("li", null, stepOf(step, at))),
  );
}

function stepOf(step, at) {
  const name = step.name ?? `step ${at + 1}`;
  const took =
    step.duration_ms === undefined
      ? null
      : step.duration_ms < 1000
        ? `${step.duration_ms} ms`
        : seconds(step.duration_ms / 1000);
  const head = [
    h("strong", null, name),
    " ",
    badge(step.status),
    " ",
    h("span", { class: "soft" }, [step.kind, took].filter(Boolean).join(" · ")),
  ];
  const rest = [
    step.error ? h("p", { class: "problem" }, step.error) : null,
    step.exit_code === undefined ? null : h("p", null, "Exit code ", exit(step.exit_code)),
    step.output === undefined ? null : output(step),
    step.result === undefined ? null : copyable(pretty(step.result), "Copy", "Copy the result"),
  ].filter(Boolean);
  if (!rest.length) return h("div", { class: "step" }, head);
  return h(
    "details",
    { class: "step", open: step.status === "failed" || isShort(step) },
    h("summary", null, head),
    rest,
  );
}

/** Whether what a step wrote is short enough to be seen at once. */
const isShort = (step) => (step.output ?? "").length < 400;

function matches(result) {
  return h(
    "div",
    { class: "stack" },
    facts([
      ["Address", result.url],
      ["Title", result.title],
      ["Matches", String(result.matches.length)],
    ]),
    result.matches.length
      ? h(
          "ol",
          { class: "steps" },
          result.matches.map((one) => h("li", null, h("pre", { tabindex: 0 }, one.text || one.html))),
        )
      : null,
  );
}

function output(given) {
  if (!given.output) return h("p", { class: "soft" }, "It wrote nothing.");
  return h(
    "div",
    null,
    copyable(given.output, "Copy", "Copy the output"),
    given.output_truncated ? h("p", { class: "hint" }, "It wrote more than is kept.") : null,
  );
}

function exit(code) {
  return badge(String(code), code === 0 ? "good" : "bad");
}
