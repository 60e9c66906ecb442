// The channels of messaging platforms in which an assistant answers.

import { call } from "../../api.js";
import { ask, attempt, confirm } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf } from "../../form.js";
import { moment } from "../../parts.js";
import { table } from "../../table.js";
import { following } from "../following.js";

export function show({ id, signal }) {
  return following({
    tags: ["assistants"],
    load: async () => (await call("get-assistant", { path: { id }, signal })).assistant.channels,
    draw: (channels) => draw(id, channels),
    signal,
  });
}

function draw(id, channels) {
  const bind = async () => {
    const form = await formOf("add-assistant-channel", { open: ["credential_name"] });
    await ask({
      title: "Bind a channel",
      verb: "Bind",
      form,
      submit: (body) => call("add-assistant-channel", { path: { id }, body }),
    });
  };
  const unbind = async (one) => {
    const text = `${one.channel_type} ${one.channel_id} is free for another assistant. Credentials stay in the vault.`;
    if (!(await confirm({ title: "Unbind this channel?", text, verb: "Unbind" }))) return;
    await attempt(() => call("remove-assistant-channel", { path: { id, bid: one.id } }), "Unbound.");
  };
  const list = table({
    label: "Channels",
    columns: [
      { title: "Channel", width: "minmax(0, 1.4fr)", render: (one) => one.channel_id },
      { title: "Platform", width: "7rem", narrow: "5rem", render: (one) => one.channel_type },
      { title: "Credential", width: "minmax(0, 1fr)", minor: true, render: (one) => one.credential_name ?? "" },
      { title: "Since", width: "10.5rem", minor: true, render: (one) => moment(one.created_at) },
      { title: "Action", width: "6rem", narrow: "5rem", render: (one) => button(one) },
    ],
    empty: "No channels yet. What is written in a channel that is bound is for this assistant.",
  });
  const button = (one) =>
    h(
      "button",
      { type: "button", class: "small danger", "aria-label": `Unbind ${one.channel_id}`, onclick: () => unbind(one) },
      "Unbind",
    );
  list.set(channels);
  return [
    h(
      "div",
      { class: "bar-top" },
      h("h2", null, "Channels"),
      h("button", { type: "button", class: "primary", onclick: bind }, "Bind a channel"),
    ),
    list.node,
  ];
}
