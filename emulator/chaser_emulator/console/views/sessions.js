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

const PAGE = 100;

export async function show({ signal }) {
  const list = table({
    label: "Sessions",
    columns: [
      { title: "Session", width: "8rem", render: (one) => h("code", null, short(one.id)) },
      { title: "Type", width: "6rem", minor: true, render: (one) => one.session_type },
      { title: "Status", width: "8rem", render: (one) => badge(one.status) },
      { title: "Workspace", render: workspaceLink, minor: true },
      { title: "Created", width: "11rem", minor: true, render: (one) => moment(one.created_at) },
      { title: "", width: "7rem", render: (one) => endButton(one) },
    ],
    link: (one) => to("/sessions/{id}", { id: one.id }),
    empty: "No session lives now.",
    filter: true,
    async next(rows) {
      const { sessions, total } = await call("list-sessions", { query: { limit: PAGE, offset: rows.length }, signal });
      return { rows: sessions, total, done: rows.length + sessions.length >= total || !sessions.length };
    },
  });
  live.changed(["sessions", "exec"], () => list.refresh(), signal);
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

function workspaceLink(session) {
  const { workspace_id: id } = session;
  if (!id) return h("span", { class: "soft" }, "none");
  return h("a", { href: to("/workspaces/{id}", { id }) }, h("code", null, short(id)));
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
