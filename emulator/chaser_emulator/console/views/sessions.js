// All sessions: what they are and how they fare, new ones, and their end.

import { call } from "../api.js";
import { ask, attempt, confirm } from "../dialog.js";
import { h } from "../dom.js";
import { formOf } from "../form.js";
import { short } from "../format.js";
import * as live from "../live.js";
import { badge, moment, top } from "../parts.js";
import { to } from "../routes.js";
import { table } from "../table.js";
import { namesOf, workspaceLink } from "./workspace/names.js";

const PAGE = 100;

export async function show({ signal }) {
  const list = table({
    label: "Sessions",
    columns: [
      { title: "Session", width: "8rem", render: (one) => h("code", null, short(one.id)) },
      { title: "Type", width: "6rem", minor: true, render: (one) => one.session_type },
      { title: "Status", width: "8rem", render: (one) => badge(one.status) },
      { title: "Workspace", render: workspaceOf, minor: true },
      { title: "Created", width: "11rem", minor: true, render: (one) => moment(one.created_at) },
      { title: "", width: "7rem", render: (one) => endButton(one) },
    ],
    link: (one) => to("/sessions/{id}", { id: one.id }),
    empty: "No session lives now.",
    filter: true,
    async next(rows) {
      const query = { limit: PAGE, offset: rows.length };
      const [{ sessions, total }, names] = await Promise.all([call("list-sessions", { query, signal }), namesOf(signal)]);
      const found = sessions.map((one) => ({ ...one, workspace: names.get(one.workspace_id) }));
      return { rows: found, total, done: rows.length + found.length >= total || !found.length };
    },
  });
  live.changed(["sessions", "exec", "workspaces"], () => list.refresh(), signal);
  const create = h("button", { type: "button", class: "primary", onclick: createSession }, "New session");
  return h("div", null, top("Sessions", create), list.node);
}

/** Ask for what a new session is to be, and make it; its page opens. */
async function createSession() {
  const form = await formOf("create-session", { open: ["workspace", "ephemeral"], initial: { session_type: "sandbox" } });
  const made = await ask({
    title: "New session",
    form,
    submit: (body) => call("create-session", { body }),
  });
  if (made) location.hash = to("/sessions/{id}", { id: made.id });
}

function workspaceOf({ workspace_id: id, workspace: name }) {
  return id ? workspaceLink(id, name) : h("span", { class: "soft" }, "none");
}

function endButton(session) {
  if (!["starting", "running"].includes(session.status)) return "";
  const end = async () => {
    const text = `Session ${short(session.id)} ends, and with it all that runs in it, open terminals too.`;
    if (!(await confirm({ title: "End this session?", text, verb: "End it" }))) return;
    await attempt(() => call("terminate-session", { path: { id: session.id }, query: { force: true } }));
  };
  const label = `End session ${short(session.id)}`;
  return h("button", { type: "button", class: "small danger", "aria-label": label, onclick: end }, "End");
}
