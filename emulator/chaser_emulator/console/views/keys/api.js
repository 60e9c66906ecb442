// One's API keys in the active account.

import { call } from "../../api.js";
import { attempt, confirm } from "../../dialog.js";
import { h } from "../../dom.js";
import { following } from "../following.js";
import { keyTable, newKey } from "./scopes.js";

export async function show({ signal }) {
  const create = () =>
    newKey({ operation: "create-key", title: "New API key", submit: (body) => call("create-key", { body }) });
  const node = await following({
    tags: ["keys"],
    load: async () => (await call("list-keys", { signal })).keys,
    draw: (keys) => [
      h("p", { class: "soft" }, "Your own keys in this account, for programs. Revoked ones stay in the list."),
      keyTable({ label: "API keys", keys, empty: "No keys in this account yet. “New key” makes one.", revoke }),
    ],
    signal,
  });
  return { node, action: h("button", { type: "button", class: "primary", onclick: create }, "New key") };
}

async function revoke(one) {
  const text = `Whatever uses ${one.name ?? `${one.key_prefix}…`} is refused from now on. It cannot be made valid again.`;
  if (!(await confirm({ title: "Revoke this key?", text, verb: "Revoke it" }))) return;
  await attempt(() => call("revoke-key", { path: { id: one.id } }), "Revoked.");
}
