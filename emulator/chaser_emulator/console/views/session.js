// One session: what it is, and its parts, each loaded when it is opened.

import { call } from "../api.js";
import { attempt, confirm } from "../dialog.js";
import { fill, h } from "../dom.js";
import { short } from "../format.js";
import * as live from "../live.js";
import { badge, facts, moment, tabs, top } from "../parts.js";
import { to } from "../routes.js";

const HERE = "/sessions/{id}";

/** What a session shows: each is shown for the types that it names; show({session, signal}) answers a node. */
const TABS = [
  { name: "terminal", title: "Terminal", types: ["sandbox"], load: () => import("./session/terminal.js") },
  { name: "screen", title: "Live view", types: ["browser"], load: () => import("./session/screen.js") },
  { name: "files", title: "Files", types: ["sandbox"], load: () => import("./session/files.js") },
  { name: "commands", title: "Commands", types: ["sandbox"], load: () => import("./session/commands.js") },
  { name: "ports", title: "Ports", types: ["sandbox", "browser"], load: () => import("./session/ports.js") },
];

export async function show({ params, query, signal }) {
  const session = await call("get-session", { path: params, signal });
  const state = h("div");
  const draw = (now) => {
    fill(
      state,
      top(["Session ", h("code", null, short(now.id)), " ", badge(now.status)], endButton(now)),
      facts([
        ["Id", h("code", null, now.id)],
        ["Type", now.session_type],
        ["Created", moment(now.created_at)],
        ["Workspace", now.workspace_id && h("a", { href: to("/workspaces/{id}", { id: now.workspace_id }) }, now.workspace_id)],
        ["Leases", now.active_connection_leases],
      ]),
    );
  };
  draw(session);
  live.changed(["sessions", "exec"], async () => {
    const now = await call("get-session", { path: params, signal }).catch(() => null);
    if (now) draw(now);
    else location.hash = to("/sessions");
  }, signal);
  const offered = TABS.filter((tab) => tab.types.includes(session.session_type));
  const chosen = offered.find((tab) => tab.name === query.tab) ?? offered[0];
  const links = tabs("Parts of the session", offered.map((tab) => [tab.title, to(HERE, params, { tab: tab.name }), tab === chosen]));
  const part = await chosen.load();
  return h("div", null, state, links, await part.show({ session, query, signal }));
}

function endButton(session) {
  if (!["starting", "running"].includes(session.status)) return null;
  const end = async () => {
    const text = "What runs in it ends; what is not in a workspace is gone.";
    if (!(await confirm({ title: "End this session?", text, verb: "End it" }))) return;
    await attempt(() => call("terminate-session", { path: { id: session.id }, query: { force: true } }), "Ended.");
  };
  return h("button", { type: "button", class: "danger", onclick: end }, "End");
}
