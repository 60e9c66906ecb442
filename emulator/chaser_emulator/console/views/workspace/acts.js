// What is done to workspaces: made, imported, copied, renamed, marked, opened and deleted, after the questions it needs.

import { call } from "../../api.js";
import { ask, attempt, confirm, notice, open } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf, formOfSchema } from "../../form.js";
import { facts } from "../../parts.js";
import { to } from "../../routes.js";

const NAMED = 8;

/** Go to the page of a workspace. */
function goTo(id, query = {}) {
  location.hash = to("/workspaces/{id}", { id }, query);
}

/** Ask for what an empty workspace is to be, and make it; its page opens. */
export async function createWorkspace() {
  const form = await formOf("create-workspace", {
    only: ["session_type", "name", "image", "template"],
    initial: { session_type: "sandbox", template: false },
    labels: { session_type: "type" },
  });
  const made = await ask({ title: "New workspace", form, submit: (body) => call("create-workspace", { body }) });
  if (made) goTo(made.id);
}

/** Ask for a repository, and make a workspace of it; what the repository is comes as an answer. */
export async function importRepository() {
  const form = await formOf("import-workspace", {
    only: ["github_repo", "name"],
    labels: { github_repo: "repository" },
  });
  const found = await ask({
    title: "Import a repository",
    text: "It is cloned with the git of the emulator's machine, into a new workspace.",
    verb: "Import",
    form,
    submit: (body) => call("import-workspace", { body }),
  });
  if (!found) return;
  const { workspace, devcontainer } = found;
  const go = await open({
    title: `Imported as ${workspace.name}`,
    content: (close) =>
      h(
        "div",
        { class: "body" },
        facts([
          ["Repository", found.github_repo],
          ["Private", found.private ? "yes" : "no"],
          ["Default branch", found.default_branch],
          ["Devcontainer", devcontainer ? h("code", null, devcontainer.path) : "none"],
          ["Image", devcontainer?.image],
          ["Dockerfile", devcontainer?.dockerfile],
          ["Folder", devcontainer?.workspace_folder],
          ["Command after it was made", devcontainer?.post_create_command],
          ["Ports", devcontainer?.forward_ports?.join(", ")],
        ]),
        h(
          "div",
          { class: "actions" },
          h("button", { type: "button", class: "primary", onclick: () => close(true) }, "Open the workspace"),
          h("button", { type: "button", onclick: () => close(false) }, "Stay here"),
        ),
      ),
  });
  if (go) goTo(workspace.id);
}

/** Ask which workspace is to be copied, templates first; the page of the copy opens. */
export async function startFromTemplate(rows) {
  if (!rows.length) {
    notice("There is no workspace yet that could be copied.");
    return;
  }
  const sources = [...rows].sort((one, other) => Number(other.template ?? 0) - Number(one.template ?? 0));
  await copyOf(sources, sources[0].name);
}

/** Make a copy of one workspace. */
export const copyWorkspace = (workspace) => copyOf([workspace], workspace.name);

async function copyOf(sources, chosen) {
  const operation = await call("get-operation", { path: { id: "create-workspace" } });
  const { properties } = operation.body["application/json"];
  const names = sources.map((one) => one.name);
  const form = formOfSchema(
    {
      type: "object",
      required: ["clone_from"],
      properties: {
        clone_from: { type: "string", enum: names, description: "No session may be using it." },
        name: properties.name,
        template: properties.template,
      },
    },
    { initial: { clone_from: chosen }, open: ["name"], labels: { clone_from: "copy of" } },
  );
  const made = await ask({
    title: "Copy a workspace",
    text: "The copy has all files of the other, its type, image and repository, and goes its own way from then on.",
    verb: "Make the copy",
    form,
    submit: (body) => call("create-workspace", { body }),
  });
  if (made) goTo(made.id);
}

/** Start a session on a workspace; its page opens. */
export async function openSession(workspace) {
  await attempt(async () => {
    const body = { workspace: workspace.id, session_type: workspace.session_type ?? "sandbox" };
    const made = await call("create-session", { body });
    location.hash = to("/sessions/{id}", { id: made.id });
  });
}

/** Ask for another name. */
export async function renameWorkspace(workspace) {
  const named = workspace.name === workspace.id ? "" : workspace.name;
  const form = await formOf("set-workspace-name", {
    initial: { name: named },
    hints: { name: "Empty takes its name away; it then goes by its id." },
  });
  await ask({
    title: "Rename the workspace",
    verb: "Rename",
    form,
    submit: ({ name }) => call("set-workspace-name", { path: { ws: workspace.id }, body: { name: name ?? null } }),
  });
}

/** Make a workspace a template, or no longer one. */
export async function turnTemplate(workspace) {
  const template = !workspace.template;
  await attempt(
    () => call("set-workspace-template", { path: { ws: workspace.id }, body: { template } }),
    template ? "It is a template now." : "It is no template any more.",
  );
}

/** Delete one workspace, after asking; answers whether it is gone. */
export async function deleteWorkspace(workspace) {
  const ends = workspace.active_session_id ? " The session that uses it ends first." : "";
  const text = `${workspace.name} goes with all its files and snapshots.${ends} Copies of it stay.`;
  if (!(await confirm({ title: "Delete this workspace?", text, verb: "Delete it" }))) return false;
  const asked = { path: { ws: workspace.id }, query: { force: Boolean(workspace.active_session_id) } };
  return attempt(() => call("delete-workspace", asked), `${workspace.name} is deleted.`);
}

/** Delete several, after asking; each one that stays is told of, with the reason. */
export async function deleteChosen(chosen) {
  const used = chosen.filter((one) => one.active_session_id).length;
  const named = chosen.slice(0, NAMED).map((one) => one.name).join(", ");
  const rest = chosen.length > NAMED ? ` and ${chosen.length - NAMED} more` : "";
  const users = used === 1 ? "A session uses one of them, and ends" : `Sessions use ${used} of them, and end`;
  const ends = used ? ` ${users} first.` : "";
  const text = `${named}${rest}: all files and snapshots are gone then.${ends}`;
  const title = chosen.length === 1 ? "Delete 1 workspace?" : `Delete ${chosen.length} workspaces?`;
  if (!(await confirm({ title, text, verb: "Delete them" }))) return;
  await attempt(async () => {
    const body = { ids: chosen.map((one) => one.id), force: used > 0 };
    const { deleted, results } = await call("bulk-delete-workspaces", { body });
    const names = new Map(chosen.map((one) => [one.id, one.name]));
    for (const one of results.filter((result) => !result.deleted)) {
      notice(`${names.get(one.id) ?? one.id} stays: ${one.error}`, "bad");
    }
    if (deleted) notice(deleted === 1 ? "1 workspace is deleted." : `${deleted} workspaces are deleted.`, "good");
  });
}
