// What an assistant remembers: any JSON, with the version that a write rests on.

import { call } from "../../api.js";
import { ask } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf } from "../../form.js";
import { copyable, moment } from "../../parts.js";
import { following } from "../following.js";

export function show({ id, signal }) {
  return following({
    tags: ["assistants"],
    load: () => call("get-assistant-runtime-state", { path: { id }, signal }),
    say: ({ version }) => `The state is at version ${version}.`,
    draw: (now) => draw(id, now),
    signal,
  });
}

function draw(id, { state, version, updated_at: at }) {
  const edit = async () => {
    const form = await formOf("put-assistant-runtime-state", { only: ["state"], initial: { state } });
    form.field("state").input.rows = 14;
    // Who wrote meanwhile is not written over: the version is that which was looked at.
    const submit = (body) => call("put-assistant-runtime-state", { path: { id }, body: { ...body, version } });
    await ask({
      title: `The state, at version ${version}`,
      text: "It replaces all of what the assistant remembers.",
      verb: "Write it",
      form,
      submit,
    });
  };
  return h(
    "section",
    { class: "card" },
    h(
      "div",
      { class: "bar-top" },
      h("h2", null, `State, version ${version}`),
      h("button", { type: "button", class: "primary", onclick: edit }, "Edit"),
    ),
    version === 0
      ? h("p", { class: "soft" }, "Nothing was written yet.")
      : [
          h("p", { class: "soft" }, "Written ", moment(at)),
          copyable(JSON.stringify(state, null, 2), "Copy", "Copy the state"),
        ],
  );
}
