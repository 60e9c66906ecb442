// One session: what it is and how it fares, and its parts, each loaded when it is opened.

import { call, Refusal, wasGivenUp } from "../api.js";
import { attempt, confirm } from "../dialog.js";
import { fill, h } from "../dom.js";
import { short } from "../format.js";
import * as live from "../live.js";
import { badge, facts, moment, style, tabs, top } from "../parts.js";
import { to } from "../routes.js";
import { reasonOf } from "./session/failure.js";
import { namesOf, workspaceLink } from "./workspace/names.js";

const HERE = "/sessions/{id}";

/** What a session shows: each is shown for the types that it names; show({session, query, signal}) answers a node. */
const TABS = [
  { name: "terminal", title: "Terminal", types: ["sandbox"], load: () => import("./session/terminal.js") },
  { name: "screen", title: "Live view", types: ["browser"], load: () => import("./session/screen.js") },
  { name: "files", title: "Files", types: ["sandbox"], load: () => import("./session/files.js") },
  { name: "commands", title: "Commands", types: ["sandbox"], load: () => import("./session/commands.js") },
  { name: "ports", title: "Ports", types: ["sandbox", "browser"], load: () => import("./session/ports.js") },
];

export async function show({ params, query, signal }) {
  const [session] = await Promise.all([look(params.id, signal), style("session")]);
  if (session === null) return gone(params.id);
  const state = h("div", { class: "session-state" });
  const part = h("div");
  const offered = TABS.filter((tab) => tab.types.includes(session.session_type));
  const { chosen, links } = tabs("Parts of the session", offered, HERE, query, params);
  let now = session;
  let told = null;
  let shown = null;

  /** What it is and, once it runs, its part: that stays in sight when the session has ended, with what it shows. */
  async function draw() {
    if (told !== JSON.stringify(now)) tell();
    if (now.status === "failed" && !shown) fill(part, await reasonOf(now, signal));
    if (shown || (now.status !== "running" && now.status !== "terminating")) return;
    shown = chosen;
    const { show: showPart } = await chosen.load();
    fill(part, await showPart({ session: now, query, signal }));
  }

  function tell() {
    told = JSON.stringify(now);
    const held = state.contains(document.activeElement);
    fill(state, heading(now), aside(now, shown));
    if (held) (state.querySelector("button, a") ?? document.getElementById("main")).focus({ preventScroll: true });
  }

  async function refresh() {
    try {
      now = (await look(params.id, signal)) ?? { ...now, status: "terminated", active_connection_leases: null };
      await draw();
    } catch (error) {
      // Nobody answers for the moment, which the header says.
      if (!wasGivenUp(error) && !(error instanceof Refusal)) throw error;
    }
  }

  live.changed(["sessions", "exec", "workspaces"], refresh, signal);
  await draw();
  // It may have begun to run before anybody here listened.
  if (now.status === "starting") refresh();
  return h("div", null, state, links, part);
}

/**
 * A session with the name of its workspace, or null where it is no more: the API does not tell one that has ended from
 * one that never was.
 */
async function look(id, signal) {
  try {
    const [session, names] = await Promise.all([call("get-session", { path: { id }, signal }), namesOf(signal)]);
    return { ...session, workspace: names.get(session.workspace_id) };
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

function gone(id) {
  return h(
    "div",
    null,
    top("No such session"),
    h("p", null, "Session ", h("code", null, id), " has ended, or never was."),
    h("p", null, h("a", { href: to("/sessions") }, "All sessions")),
  );
}

function heading(session) {
  const status = h("span", { role: "status" }, badge(session.status));
  return top(["Session ", h("code", null, short(session.id)), " ", status], endButton(session));
}

function aside(session, shown) {
  const { workspace_id: id, workspace: name } = session;
  return [
    words(session.status, shown),
    facts([
      ["Id", h("code", null, session.id)],
      ["Type", session.session_type],
      ["Created", moment(session.created_at)],
      ["Workspace", id ? workspaceLink(id, name) : "none: it keeps nothing"],
      ["Open connections", session.active_connection_leases],
    ]),
  ];
}

const WORDS = {
  starting: "It is starting; what it has to show comes as soon as it runs.",
  failed: "It could not start, or went away by itself.",
  terminating: "It is being ended.",
  terminated: "It has ended.",
};

function words(status, shown) {
  if (!(status in WORDS)) return null;
  const over = status === "terminated" || status === "failed";
  return h(
    "p",
    { class: status === "failed" ? "problem" : "soft" },
    WORDS[status],
    over && shown ? " What was in sight is left below." : null,
    over ? [" ", h("a", { href: to("/sessions") }, "All sessions")] : null,
  );
}

function endButton(session) {
  if (!["starting", "running"].includes(session.status)) return null;
  const end = async () => {
    const text = "What runs in it ends, open terminals too; what is not in a workspace is gone.";
    if (!(await confirm({ title: "End this session?", text, verb: "End it" }))) return;
    await attempt(() => call("terminate-session", { path: { id: session.id }, query: { force: true } }), "Ended.");
  };
  return h("button", { type: "button", class: "danger", onclick: end }, "End");
}
