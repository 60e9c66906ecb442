// The commands of a session: one to run, those in the background, and each with what it writes.

import { call } from "../../api.js";
import { fill, h } from "../../dom.js";
import { bytes, seconds } from "../../format.js";
import * as live from "../../live.js";
import { badge, moment, style } from "../../parts.js";
import { to } from "../../routes.js";
import { table } from "../../table.js";
import { showCommand } from "./command.js";
import { isScripted } from "./engine.js";
import { heard } from "./hearing.js";
import { runForm } from "./running.js";
import { selfTestButton } from "./self-test.js";

export async function show({ session, query, signal }) {
  await Promise.all([style("inside"), style("ansi")]);
  if (query.command) return showCommand({ session, id: query.command, signal });
  const begin = h("div");
  const test = h("div");
  const ended = () => {
    fill(begin, h("p", { class: "soft" }, "The session has ended: nothing more runs in it."));
    fill(test);
  };
  if (isAlive(session)) {
    fill(begin, (await isScripted(signal)) ? scriptedNote() : null, await runForm({ session, signal }));
    fill(test, selfTestButton(session, signal));
    live.changed(["sessions"], async () => {
      const now = await call("get-session", { path: { id: session.id }, signal }).catch(() => session);
      if (!isAlive(now)) ended();
    }, signal);
  } else ended();
  const heading = h("div", { class: "bar-top" }, h("h2", null, "In the background"), test);
  return h("div", null, begin, heading, listOf(session, signal).node);
}

const isAlive = (session) => ["starting", "running"].includes(session.status);

function listOf(session, signal) {
  const list = table({
    label: "Background commands",
    identify: (one) => one.command_id,
    columns: [
      { title: "Command", width: "minmax(12rem, 1fr)", render: (one) => h("code", null, one.command) },
      { title: "Status", width: "8rem", render: (one) => stateOf(one) },
      { title: "Started", width: "11rem", minor: true, render: (one) => moment(isoOf(one.started_at_epoch)) },
      { title: "Took", width: "6rem", minor: true, render: tookOf },
      { title: "Output", width: "6rem", numeric: true, minor: true, render: (one) => bytes(one.output_bytes) },
    ],
    link: (one) => to("/sessions/{id}", { id: session.id }, { tab: "commands", command: one.command_id }),
    empty: "None yet. A command that is run in the background is listed here, with what it writes.",
    async next() {
      const { commands } = await call("list-session-commands", { path: { id: session.id }, signal });
      return { rows: commands, total: commands.length, done: true };
    },
  });
  heard(session, () => list.refresh(), signal);
  return list;
}

function scriptedNote() {
  return h(
    "p",
    { class: "card soft" },
    "The scripted engine runs no commands: ", h("a", { href: "#/stubs" }, "stubs"), " answer them, and a few words",
    " such as ", h("code", null, "echo"), " and ", h("code", null, "sleep"), " answer as a shell would.",
  );
}

/** The state of a command, with its exit code where that tells something. */
export function stateOf(one) {
  if (one.status === "exited") return badge(`exited with ${one.exit_code}`, one.exit_code ? "bad" : "good");
  return badge(one.status.replace("_", " "), one.status === "killed" ? "warn" : undefined);
}

/** How long a command took, in words; nothing while it runs. */
export function tookOf(one) {
  if (one.finished_at_epoch === undefined) return "";
  const took = one.finished_at_epoch - one.started_at_epoch;
  return took < 1 ? "under 1 s" : seconds(took);
}

/** Seconds since 1970 as a timestamp. */
export function isoOf(epoch) {
  return epoch === undefined ? null : new Date(epoch * 1000).toISOString();
}
