// One assistant: whether it is active, and its parts, each loaded when it is opened.

import { call } from "../api.js";
import { ask, attempt } from "../dialog.js";
import { append, h } from "../dom.js";
import { formOf } from "../form.js";
import { badge, facts, moment, style, tabs, top } from "../parts.js";
import { to } from "../routes.js";
import { following } from "./following.js";

const HERE = "/assistants/{id}";

/** What an assistant shows: each is show({id, signal}), which answers a node. */
const PARTS = [
  { name: "config", title: "Configuration", load: () => import("./assistant/config.js") },
  { name: "channels", title: "Channels", load: () => import("./assistant/channels.js") },
  { name: "credentials", title: "Credentials", load: () => import("./assistant/credentials.js") },
  { name: "state", title: "State", load: () => import("./assistant/state.js") },
  { name: "usage", title: "Usage", load: () => import("./assistant/usage.js") },
  { name: "changes", title: "Change requests", load: () => import("./assistant/changes.js") },
];

export async function show({ params, query, signal }) {
  await style("account");
  const below = h("div");
  const head = await following({
    tags: ["assistants"],
    async load() {
      try {
        const { assistant } = await call("get-assistant", { path: params, signal });
        below.hidden = false;
        return assistant;
      } catch (error) {
        // Of one that is gone the head says all that there is to say.
        below.hidden ||= error.status === 404;
        throw error;
      }
    },
    say: (one) => `${one.name} is ${one.status}.`,
    draw,
    signal,
  });
  const { chosen, links } = tabs("Parts of the assistant", PARTS, HERE, query, params);
  if (!head.querySelector("h1")) return head;
  const part = await chosen.load();
  append(below, links, await part.show({ id: params.id, signal }));
  return h("div", null, head, below);
}

function draw(one) {
  const path = { id: one.id };
  const active = one.status === "active";
  const turn = () =>
    attempt(
      () => call(active ? "pause-assistant" : "resume-assistant", { path }),
      active ? "It is paused." : "It is active again.",
    );
  const rename = async () => {
    const form = await formOf("update-assistant", { only: ["name"], initial: { name: one.name } });
    await ask({
      title: "Rename the assistant",
      verb: "Rename",
      form,
      submit: (body) => call("update-assistant", { path, body }),
    });
  };
  return [
    h("p", { class: "trail" }, h("a", { href: to("/assistants") }, "All assistants")),
    top(
      [one.name, " ", badge(one.status)],
      h("button", { type: "button", onclick: rename }, "Rename"),
      h("button", { type: "button", onclick: turn }, active ? "Pause" : "Resume"),
    ),
    h(
      "div",
      { class: "about" },
      facts([
        ["Id", h("code", null, one.id)],
        ["Home", h("a", { href: to("/workspaces/{id}", { id: one.workspace_id }) }, one.workspace_id)],
        ["Created", moment(one.created_at)],
        ["Changed", moment(one.updated_at)],
      ]),
    ),
  ];
}
