// The form that runs a command, and what came of one that was waited for.

import { call, wasGivenUp } from "../../api.js";
import { fill, h } from "../../dom.js";
import { formOf } from "../../form.js";
import { seconds } from "../../format.js";
import { output } from "../../output.js";
import { badge } from "../../parts.js";
import { to } from "../../routes.js";

const OPERATION = "exec-session";

/** A node with the form, and below it the last result. */
export async function runForm({ session, signal }) {
  const path = { id: session.id };
  const form = await formOf(OPERATION, {
    except: ["background"],
    lines: ["command", "stdin"],
    labels: { cwd: "folder", env: "environment", stdin: "input", timeout_ms: "time in milliseconds" },
  });
  const result = h("div", { class: "result" });
  const status = h("span", { role: "status", class: "soft" });
  const stop = h("button", { type: "button", class: "danger", hidden: true }, "Stop");
  const later = h("button", { type: "button", onclick: inBackground }, "Run in the background");
  form.node.append(h("div", { class: "actions" }, h("button", { class: "primary" }, "Run"), later, stop, status));
  form.node.addEventListener("submit", (event) => {
    event.preventDefault();
    now();
  });

  async function inBackground() {
    const body = form.read();
    if (body === undefined) return;
    form.busy(true);
    try {
      const { command_id: command } = await call(OPERATION, { path, body: { ...body, background: true }, signal });
      location.hash = to("/sessions/{id}", path, { tab: "commands", command });
    } catch (error) {
      form.refuse(error);
    } finally {
      form.busy(false);
    }
  }

  async function now() {
    // By keys a form can be sent while its buttons are shut.
    const body = stop.hidden ? form.read() : undefined;
    if (body === undefined) return;
    const stopping = new AbortController();
    form.busy(true);
    stop.hidden = stop.disabled = false;
    stop.onclick = () => stopping.abort();
    stop.focus();
    fill(status, "It runs. It is stopped when this page is left.");
    const began = performance.now();
    try {
      const answer = await call(OPERATION, { path, body, signal: AbortSignal.any([signal, stopping.signal]) });
      fill(result, resultOf(answer, (performance.now() - began) / 1000));
      fill(status, answer.status === "completed" ? `It exited with ${answer.exit_code}.` : "Its time was up.");
    } catch (error) {
      fill(status, wasGivenUp(error) ? "It was stopped." : "");
      form.refuse(error);
    } finally {
      form.busy(false);
      if ([stop, document.body].includes(document.activeElement)) form.field("command").input.focus();
      stop.hidden = true;
    }
  }

  return h("section", { class: "card run" }, h("h2", null, "Run a command"), form.node, result);
}

function resultOf(answer, took) {
  const shown = output({ label: "Output of the command", name: "output.txt" });
  shown.add(new TextEncoder().encode(answer.output));
  shown.end();
  const good = answer.status === "completed" && answer.exit_code === 0;
  const words = answer.status === "completed" ? `exited with ${answer.exit_code}` : "timed out";
  return [
    h(
      "div",
      { class: "result-head" },
      h("code", null, answer.command),
      badge(words, good ? "good" : "bad"),
      h("span", { class: "soft" }, took < 1 ? "under 1 s" : seconds(took)),
    ),
    shown.node,
    answer.output_truncated
      ? h("p", { class: "soft" }, "It wrote more than is shown here. Of a command in the background more is kept.")
      : null,
  ];
}
