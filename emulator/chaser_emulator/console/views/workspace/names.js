// What the workspaces of the account are called, for pages of things that name theirs by its id.

import { call, wasGivenUp } from "../../api.js";
import { h } from "../../dom.js";
import { short } from "../../format.js";
import { to } from "../../routes.js";

/** The name of each workspace by its id; of none where they may not be read. */
export async function namesOf(signal) {
  try {
    const workspaces = await call("list-workspaces", { signal });
    return new Map(workspaces.map((one) => [one.id, one.name]));
  } catch (error) {
    if (wasGivenUp(error)) throw error;
    return new Map();
  }
}

/** A link to a workspace, by its name where it has one that is known. */
export function workspaceLink(id, name) {
  return h("a", { href: to("/workspaces/{id}", { id }), title: id }, name ?? h("code", null, short(id)));
}
