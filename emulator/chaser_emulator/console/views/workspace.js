// One workspace: what it is, what can be done with it, and its parts, each loaded when it is opened.

import { call } from "../api.js";
import { append, h, refill } from "../dom.js";
import { bytes, short } from "../format.js";
import * as live from "../live.js";
import { badge, facts, moment, style, tabs, top } from "../parts.js";
import { to } from "../routes.js";
import { copyWorkspace, deleteWorkspace, openSession, renameWorkspace, turnTemplate } from "./workspace/acts.js";

const HERE = "/workspaces/{id}";
const TAGS = ["workspaces", "sessions"];

/** What a workspace shows: show({workspace, workspaces, query, signal}) answers a node. */
const TABS = [
  { name: "files", title: "Files", load: () => import("./workspace/files.js") },
  { name: "snapshots", title: "Snapshots", load: () => import("./workspace/snapshots.js") },
  { name: "changes", title: "Changes", load: () => import("./workspace/changes.js") },
  { name: "copies", title: "Copies", load: () => import("./workspace/copies.js") },
];

export async function show({ params, query, signal }) {
  await style("workspaces");
  const { id } = params;
  const state = h("div");
  const below = h("div");
  let size = null;

  async function load() {
    const workspaces = await call("list-workspaces", { signal });
    return { workspaces, workspace: workspaces.find((one) => one.id === id) };
  }

  function draw({ workspaces, workspace }) {
    const source = workspaces.find((one) => one.id === workspace.source_workspace_id);
    const { active_session_id: session, last_session_id: last } = workspace;
    refill(
      state,
      top(
        [workspace.name, " ", badge(workspace.status ?? ""), workspace.template ? [" ", badge("template")] : null],
        actions(workspace),
      ),
      h("div", { class: "about" }, facts([
        ["Id", h("code", null, workspace.id)],
        ["Type", workspace.session_type],
        ["Image", workspace.image],
        ["Repository", workspace.github_repo],
        ["Created", moment(workspace.created_at)],
        ["Size", size === null ? "…" : bytes(size)],
        ["Session", session && sessionLink(session)],
        ["Last session", session ? null : last && sessionLink(last)],
        ["Copy of", workspace.source_workspace_id && sourceLink(workspace.source_workspace_id, source)],
        ["Home of", workspace.assistant_home ? "an assistant" : null],
      ])),
    );
  }

  async function measure(found) {
    const { workspaces } = await call("get-workspace-storage", { signal }).catch(() => ({ workspaces: [] }));
    const mine = workspaces.find((one) => one.id === id);
    if (!mine || signal.aborted) return;
    size = mine.used_bytes ?? undefined;
    draw(found);
  }

  const found = await load();
  if (!found.workspace) return gone();
  draw(found);
  measure(found);
  live.changed(TAGS, async () => {
    const now = await load().catch(() => null);
    if (!now || signal.aborted) return;
    below.hidden = !now.workspace;
    if (!now.workspace) {
      refill(state, gone());
      return;
    }
    draw(now);
    measure(now);
  }, signal);

  const { chosen, links } = tabs("Parts of the workspace", TABS, HERE, query, { id });
  const part = await chosen.load();
  append(below, links, await part.show({ ...found, query, signal }));
  return h("div", null, state, below);
}

function actions(workspace) {
  const button = (text, act, kind = null) => h("button", { type: "button", class: kind, onclick: act }, text);
  const remove = async () => {
    if (await deleteWorkspace(workspace)) location.hash = to("/workspaces");
  };
  const session = workspace.active_session_id;
  return [
    session
      ? h("a", { class: "button primary", href: to("/sessions/{id}", { id: session }) }, "Go to its session")
      : button("Open a session", () => openSession(workspace), "primary"),
    button("Copy", () => copyWorkspace(workspace)),
    button("Rename", () => renameWorkspace(workspace)),
    button(workspace.template ? "No longer a template" : "Make it a template", () => turnTemplate(workspace)),
    button("Delete", remove, "danger"),
  ];
}

const sessionLink = (id) => h("a", { href: to("/sessions/{id}", { id }) }, h("code", null, short(id)));

function sourceLink(id, source) {
  if (!source) return [h("code", null, short(id)), " (it is gone)"];
  return h("a", { href: to(HERE, { id }) }, source.name);
}

function gone() {
  return h(
    "div",
    null,
    h("h1", null, "Workspace"),
    h("p", null,
      "There is no such workspace in this account. It may have been deleted. ",
      h("a", { href: to("/workspaces") }, "All workspaces")),
  );
}
