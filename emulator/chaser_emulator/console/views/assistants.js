// All assistants of the account, new ones, and the secrets that all of them share.

import { call } from "../api.js";
import { ask } from "../dialog.js";
import { h } from "../dom.js";
import { badge, moment, style, top } from "../parts.js";
import { to } from "../routes.js";
import { table } from "../table.js";
import { configForm } from "./assistant/form.js";
import { putCredential } from "./assistant/credentials.js";
import { following } from "./following.js";

export async function show({ signal }) {
  await style("account");
  const node = await following({
    tags: ["assistants"],
    load: async () => (await call("list-assistants", { signal })).assistants,
    draw,
    signal,
  });
  const share = h("button", { type: "button", onclick: () => putCredential() }, "Put a shared credential");
  const create = h("button", { type: "button", class: "primary", onclick: createAssistant }, "New assistant");
  return h("div", null, top("Assistants", share, create), node);
}

function draw(assistants) {
  const list = table({
    label: "Assistants",
    columns: [
      { title: "Name", width: "minmax(0, 1.4fr)", render: (one) => one.name },
      { title: "Status", width: "6rem", narrow: "5rem", render: (one) => badge(one.status) },
      { title: "Model", width: "minmax(0, 1fr)", minor: true, render: (one) => modelOf(one.config) },
      { title: "Channels", width: "5rem", minor: true, numeric: true, render: (one) => String(one.channels.length) },
      { title: "Version", width: "5rem", minor: true, numeric: true, render: (one) => String(one.config_version) },
      { title: "Changed", width: "10.5rem", narrow: "5.5rem", render: (one) => moment(one.updated_at) },
    ],
    link: (one) => to("/assistants/{id}", { id: one.id }),
    empty: "No assistants yet. “New assistant” makes one, with a workspace of its own.",
  });
  list.set(assistants);
  return [
    h(
      "p",
      { class: "soft" },
      "An assistant runs in your own program; here is what it is told, what it remembers and what it used.",
    ),
    list.node,
  ];
}

/** Who answers, in a word or two. */
function modelOf(config) {
  const { provider, model_id } = config.model ?? {};
  return [provider, model_id].filter(Boolean).join(" / ");
}

async function createAssistant() {
  const form = await configForm({ named: true });
  const made = await ask({
    title: "New assistant",
    text: "It is made with a workspace as its home, which counts among those of the plan.",
    form,
    submit: ({ name, config }) => call("create-assistant", { body: { name, config } }),
  });
  if (made) location.hash = to("/assistants/{id}", { id: made.assistant.id });
}
