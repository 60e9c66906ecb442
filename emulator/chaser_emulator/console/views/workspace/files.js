// The files of a workspace, as they are now or as a snapshot keeps them; no session is needed for that.

import { call } from "../../api.js";
import { freshId, h } from "../../dom.js";
import { filesOf } from "../../files.js";
import { time } from "../../format.js";
import * as live from "../../live.js";
import { to } from "../../routes.js";

const LISTED = 10_000;

export async function show({ workspace, query, signal }) {
  const path = { ws: workspace.id };
  const kept = await call("list-workspace-snapshots", { path, signal });
  const snapshot = kept.find((one) => one.id === query.snapshot)?.id;
  const lost = `There is no snapshot ${query.snapshot} any more; these are the files of now.`;
  const missing = query.snapshot && !snapshot ? lost : null;
  const files = filesOf({
    label: snapshot ? `Files in ${workspace.name}, snapshot ${snapshot}` : `Files in ${workspace.name}`,
    root: "/workspace",
    list: (folder) => call("list-workspace-files", { path, query: { path: folder, snapshot, limit: LISTED }, signal }),
    read: (file, stopping) =>
      call("read-workspace-file", { path, query: { path: file, snapshot }, signal: stopping, as: "response" }),
    // What a snapshot keeps never changes.
    follow: snapshot ? undefined : (refresh) => follow(workspace, refresh, signal),
    signal,
  });
  return h(
    "div",
    null,
    missing ? h("p", { class: "problem", role: "alert" }, missing) : null,
    choice(workspace, kept, snapshot),
    files,
  );
}

/** Look again when the workspace's session has done something or ended, or the disk is another; one look at a time. */
function follow(workspace, refresh, signal) {
  let session = workspace.active_session_id ?? null;
  let looking = false;
  let again = false;
  const look = async () => {
    again = looking;
    if (looking) return;
    looking = true;
    do {
      again = false;
      await refresh();
    } while (again && !signal.aborted);
    looking = false;
  };
  const change = async () => {
    const workspaces = await call("list-workspaces", { signal }).catch(() => []);
    session = workspaces.find((one) => one.id === workspace.id)?.active_session_id ?? null;
    if (!signal.aborted) look();
  };
  live.changed(["sessions", "workspaces", "workspace.snapshots"], change, signal);
  const wrote = (data) => {
    if (session && data.done && data.method !== "GET" && data.path.includes(session)) look();
  };
  live.on("exchange", wrote, signal);
}

/** Which state the files are of. */
function choice(workspace, kept, snapshot) {
  if (!kept.length) return null;
  const id = freshId("state");
  const options = [
    h("option", { value: "", selected: !snapshot }, "now"),
    kept.map((one) =>
      h("option", { value: one.id, selected: one.id === snapshot }, `snapshot ${one.id}, ${time(one.created_at)}`)),
  ];
  const select = h("select", {
    id,
    onchange: () => {
      const query = { tab: "files", snapshot: select.value || undefined };
      location.hash = to("/workspaces/{id}", { id: workspace.id }, query);
    },
  }, options);
  return h("div", { class: "moments" }, h("label", { for: id }, "Files of"), select);
}
