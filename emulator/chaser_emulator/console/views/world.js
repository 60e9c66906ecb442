// The world as a whole: what it is filled with, what became of it, and states of it to go back to.

import { call } from "../api.js";
import { attempt, confirm } from "../dialog.js";
import { h } from "../dom.js";
import { style, tabs, top } from "../parts.js";

const HERE = "/world";

/** The parts of the page; `show({signal})` of each answers a node. */
const PARTS = [
  { name: "seeds", title: "Seeds", load: () => import("./world/seeds.js") },
  { name: "states", title: "Saved states", load: () => import("./world/states.js") },
  { name: "changes", title: "Changes", load: () => import("./world/changes.js") },
];

export async function show({ query, signal }) {
  await style("steering");
  const { chosen, links } = tabs("Parts of the page", PARTS, HERE, query);
  const part = await (await chosen.load()).show({ signal });
  const reset = h("button", { type: "button", class: "danger", onclick: putBack }, "Reset the world");
  return h("div", null, top("World", reset), links, part);
}

async function putBack() {
  const text =
    "It goes back to what it began with: nothing but its first user, or what it was seeded, loaded or forked with. " +
    "What runs in it ends; faults are gone. Its key stays.";
  if (!(await confirm({ title: "Reset the world?", text, verb: "Reset it" }))) return;
  await attempt(() => call("reset-world"), "The world is where it began.");
}
