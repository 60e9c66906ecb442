// Worlds: made, forked, put back and deleted, from the overview.

import { call } from "../api.js";
import { enter } from "../app.js";
import { ask, attempt, confirm, notice } from "../dialog.js";
import { h } from "../dom.js";
import * as live from "../live.js";

/** What can be done about the world that one is in. */
export function worldActions(here) {
  const button = (text, onclick, kind) => h("button", { type: "button", class: kind ?? null, onclick }, text);
  return [
    button("New world", makeWorld),
    button("Fork", () => forkWorld(here)),
    button("Reset", () => resetWorld(here), "danger"),
    // The one that a server begins with stays.
    here.id === "default" ? null : button("Delete", () => deleteWorld(here), "danger"),
  ];
}

/** Forms are loaded when one is asked for: most look at the overview and go on. */
const formOf = async (...wish) => (await import("../form.js")).formOf(...wish);

async function makeWorld() {
  const form = await formOf("create-world", { open: ["id", "plan", "sandbox"], labels: { id: "name", api_key: "key" } });
  const made = await ask({
    title: "New world",
    text: "A Chaser of its own beside this one, with its own key. It lasts until it is deleted or the emulator stops.",
    form,
    submit: (body) => call("create-world", { body }),
  });
  if (made) told(`World ${made.id} is there. It can be chosen in the menu.`);
}

async function forkWorld(here) {
  const form = await formOf("fork-world", { open: ["id"], labels: { id: "name", api_key: "key" } });
  const made = await ask({
    title: `Fork ${here.id}`,
    text: "A world that begins with all that this one is now; afterwards neither knows of the other.",
    verb: "Fork",
    form,
    submit: (body) => call("fork-world", { path: { id: here.id }, body }),
  });
  if (made) told(`World ${made.id} is there. It can be chosen in the menu.`);
}

async function resetWorld(here) {
  const text = `All that is in ${here.id} goes back to what it began with. What runs in it ends.`;
  if (!(await confirm({ title: "Reset this world?", text, verb: "Reset" }))) return;
  await attempt(() => call("reset-world"), "It is as it was at first.");
}

async function deleteWorld(here) {
  const text = `${here.id} ends, with all that is in it, and its key means nothing any more.`;
  if (!(await confirm({ title: "Delete this world?", text }))) return;
  await attempt(async () => {
    const { api_key: key } = await call("get-world", { path: { id: "default" } });
    await call("delete-world", { path: { id: here.id } });
    await enter(key);
  }, `World ${here.id} is gone.`);
}

function told(text) {
  notice(text, "good");
  live.tell("worlds");
}
