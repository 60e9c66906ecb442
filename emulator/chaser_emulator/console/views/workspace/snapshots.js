// The snapshots of a workspace: kept, gone back to, looked into and deleted.

import { call } from "../../api.js";
import { ask, attempt, confirm, tellError } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf } from "../../form.js";
import { bytes } from "../../format.js";
import * as live from "../../live.js";
import { moment } from "../../parts.js";
import { to } from "../../routes.js";
import { table } from "../../table.js";

const HERE = "/workspaces/{id}";
const IN_USE =
  "A session uses the workspace. Kept is what is on its disk at this moment; what is just written may be half there.";

export async function show({ workspace, signal }) {
  const path = { ws: workspace.id };
  const { id } = workspace;
  const list = table({
    label: "Snapshots",
    columns: [
      { title: "Name", width: "minmax(0, 1fr)", render: (one) => one.id },
      { title: "Kept", width: "10.5rem", minor: true, render: (one) => moment(one.created_at) },
      { title: "Gone back to", width: "10.5rem", minor: true, render: (one) => moment(one.restored_at) },
      { title: "Size", width: "5rem", minor: true, numeric: true, render: (one) => bytes(one.used_bytes) },
      { title: "", width: "15rem", narrow: "9rem", render: acts },
    ],
    link: (one) => to(HERE, { id }, { tab: "files", snapshot: one.id }),
    empty: "No snapshots yet. A snapshot keeps all files as they are now, to compare with and to go back to.",
  });

  function acts(one) {
    const button = (text, label, act, kind = "small") => {
      const onclick = () => act(one);
      return h("button", { type: "button", class: kind, "aria-label": `${label} ${one.id}`, onclick }, text);
    };
    const changes = to(HERE, { id }, { tab: "changes", from: one.id });
    return h(
      "div",
      { class: "row-acts" },
      h("a", { class: "button small", href: changes, "aria-label": `Changes since ${one.id}` }, "Changes"),
      button("Go back", "Go back to", restore),
      button("Delete", "Delete", remove, "small danger"),
    );
  }

  /** The session that uses the workspace at this moment, or null. */
  async function user() {
    const workspaces = await call("list-workspaces", { signal });
    return workspaces.find((one) => one.id === id)?.active_session_id ?? null;
  }

  async function keep() {
    const used = await user();
    const hints = { name: "Made up where none is given." };
    const form = await formOf("create-workspace-snapshot", { only: ["name"], hints });
    await ask({
      title: "Keep the files of now",
      text: used ? IN_USE : "All files are kept under a name. Snapshots count as storage.",
      verb: "Keep them",
      form,
      submit: (body) => call("create-workspace-snapshot", { path, body: used ? { ...body, force: true } : body }),
    });
  }

  async function restore(one) {
    const used = await user();
    const ends = "A session uses the workspace: it ends first, with all that runs in it. ";
    const then = `The files are those of ${one.id} again; what has changed is lost, unless another snapshot keeps it.`;
    const text = used ? ends + then : then;
    const verb = used ? "End the session and go back" : "Go back";
    if (!(await confirm({ title: `Go back to ${one.id}?`, text, verb }))) return;
    const asked = { path: { ...path, name: one.id }, body: { force: used !== null } };
    await attempt(() => call("restore-workspace-snapshot", asked), `The files are those of ${one.id} again.`);
  }

  async function remove(one) {
    const text = `What ${one.id} keeps is gone then. The workspace itself stays as it is.`;
    if (!(await confirm({ title: `Delete ${one.id}?`, text, verb: "Delete it" }))) return;
    const force = (await user()) !== null;
    const asked = { path: { ...path, name: one.id }, query: { force } };
    await attempt(() => call("delete-workspace-snapshot", asked), `${one.id} is deleted.`);
  }

  async function draw() {
    list.set(await call("list-workspace-snapshots", { path, signal }));
  }

  await draw();
  live.changed(["snapshots", "workspace.snapshots"], () => draw().catch(unlessGone), signal);
  return h(
    "div",
    null,
    h(
      "div",
      { class: "bar-top" },
      h("h2", null, "Snapshots"),
      h("div", { class: "actions" },
        h("button", { type: "button", class: "primary", onclick: () => attempt(keep) }, "New snapshot")),
    ),
    list.node,
  );
}

/** That a workspace is gone is told by its page. */
function unlessGone(error) {
  if (error.status !== 404) tellError(error);
}
