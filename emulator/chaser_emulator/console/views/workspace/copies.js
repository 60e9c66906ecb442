// Where a workspace comes from and what was made of it: copies of copies, as a tree.

import { call } from "../../api.js";
import { h } from "../../dom.js";
import { badge, moment } from "../../parts.js";
import { short } from "../../format.js";
import { to } from "../../routes.js";
import { following } from "../following.js";
import { copyWorkspace } from "./acts.js";

const DEEPEST = 50;
const ALONE = "It is no copy, and none was made of it yet. A copy begins with all files, and goes its own way.";

export async function show({ workspace, signal }) {
  const node = await following({
    tags: ["workspaces"],
    load: () => call("list-workspaces", { signal }),
    draw: (workspaces) => lineage(workspaces, workspace.id),
    signal,
  });
  const copy = () => copyWorkspace(workspace);
  const make = h("button", { type: "button", class: "primary", onclick: copy }, "Make a copy");
  return h(
    "div",
    null,
    h("div", { class: "bar-top" }, h("h2", null, "Copies"), h("div", { class: "actions" }, make)),
    node,
  );
}

function lineage(workspaces, id) {
  const byId = new Map(workspaces.map((one) => [one.id, one]));
  const copies = new Map();
  for (const one of workspaces) {
    if (!one.source_workspace_id) continue;
    copies.set(one.source_workspace_id, [...(copies.get(one.source_workspace_id) ?? []), one]);
  }
  let first = byId.get(id);
  if (!first) return h("p", null, "The workspace is gone.");
  while (byId.has(first.source_workspace_id)) first = byId.get(first.source_workspace_id);
  const lost = first.source_workspace_id;
  const alone = first.id === id && !copies.has(id) && !lost;
  const below = (one, depth) => {
    const inner = depth < DEEPEST ? [...(copies.get(one.id) ?? [])].reverse() : [];
    const list = inner.length ? h("ul", null, inner.map((each) => below(each, depth + 1))) : null;
    return h("li", null, entry(one, id), list);
  };
  const tree = h("ul", { class: "lineage" }, below(first, 0));
  return [
    alone ? h("p", { class: "soft" }, ALONE) : null,
    lost
      ? h("p", { class: "soft" }, "It begins with a copy of ", h("code", null, short(lost)), ", which is gone.")
      : null,
    tree,
  ];
}

function entry(one, id) {
  const here = one.id === id;
  const href = to("/workspaces/{id}", { id: one.id }, { tab: "copies" });
  return h(
    "div",
    { class: here ? "entry here" : "entry" },
    h("a", { href, "aria-current": here ? "true" : null }, one.name),
    one.template ? badge("template") : null,
    badge(one.status ?? ""),
    h("span", { class: "soft" }, moment(one.created_at)),
  );
}
