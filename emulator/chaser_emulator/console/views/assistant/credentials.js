// What the vault has for an assistant: names, of its own secrets and of shared ones, and never a value.

import { call } from "../../api.js";
import { ask, notice } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf } from "../../form.js";
import { moment } from "../../parts.js";
import { table } from "../../table.js";
import { following } from "../following.js";

export function show({ id, signal }) {
  return following({
    tags: ["assistants"],
    load: async () => (await call("list-assistant-credentials", { path: { id }, signal })).credentials,
    draw: (credentials) => draw(id, credentials),
    signal,
  });
}

function draw(id, credentials) {
  const list = table({
    label: "Credentials",
    columns: [
      { title: "Name", width: "minmax(0, 1fr)", render: (one) => h("code", null, one.name) },
      {
        title: "For",
        width: "minmax(0, 1fr)",
        render: (one) => (one.assistant_id ? "this assistant" : "all assistants of the account"),
      },
      { title: "Stored", width: "10.5rem", minor: true, render: (one) => moment(one.updated_at) },
    ],
    identify: (one) => `${one.assistant_id ?? ""}/${one.name}`,
    empty: "The vault has nothing for this assistant yet.",
  });
  list.set(credentials);
  const put = h("button", { type: "button", class: "primary", onclick: () => putCredential(id) }, "Put a credential");
  return [
    h("div", { class: "bar-top" }, h("h2", null, "Credentials"), put),
    h(
      "p",
      { class: "soft" },
      "Secrets lie encrypted in the vault, and are never shown here. Of two with one name the assistant's own counts.",
    ),
    list.node,
  ];
}

/** Put a secret into the vault, for one assistant or (without an id) for all of the account. */
export async function putCredential(id) {
  const form = await formOf("store-assistant-credential", { only: ["name", "value"] });
  const stored = await ask({
    title: id ? "Put a credential" : "Put a shared credential",
    text: "A value under the same name is replaced.",
    verb: "Put it into the vault",
    form,
    submit: (body) => call("store-assistant-credential", { body: id ? { ...body, assistant_id: id } : body }),
  });
  if (stored) notice(`The vault has ${stored.credential.name} now.`, "good");
}
