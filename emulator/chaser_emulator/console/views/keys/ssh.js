// One's SSH keys in the active account, by which the SSH gateway knows who comes.

import { call } from "../../api.js";
import { ask, attempt, confirm, open } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf } from "../../form.js";
import { copyable, facts, moment } from "../../parts.js";
import { table } from "../../table.js";
import { following } from "../following.js";

export async function show({ signal }) {
  const node = await following({
    tags: ["ssh-keys"],
    load: async () => (await call("list-ssh-keys", { signal })).keys,
    draw: (keys) => {
      const list = table({
        label: "SSH keys",
        columns: [
          { title: "Name", width: "minmax(0, 1fr)", render: nameOf },
          {
            title: "Fingerprint",
            width: "minmax(0, 2fr)",
            render: (one) => h("code", { title: one.fingerprint }, one.fingerprint),
          },
          { title: "Added", width: "10.5rem", minor: true, render: (one) => moment(one.created_at) },
          {
            title: "Last used",
            width: "10.5rem",
            minor: true,
            render: (one) => (one.last_used_at ? moment(one.last_used_at) : "never"),
          },
          { title: "Action", width: "5.5rem", narrow: "4.75rem", render: (one) => button(one) },
        ],
        act: detail,
        empty: "No SSH keys yet. “Add a key” takes the line of a .pub file.",
      });
      list.set(keys);
      return [
        h("p", { class: "soft" }, "Public keys that open the SSH gateway to the workspaces of this account."),
        list.node,
      ];
    },
    signal,
  });
  return { node, action: h("button", { type: "button", class: "primary", onclick: add }, "Add a key") };
}

const nameOf = (one) => one.name ?? "without a name";

async function add() {
  const hints = {
    public_key:
      "The whole line of a .pub file, such as ~/.ssh/id_ed25519.pub: the type, the data, and perhaps a comment.",
  };
  const form = await formOf("create-ssh-key", { open: ["name"], hints });
  await ask({ title: "Add an SSH key", verb: "Add it", form, submit: (body) => call("create-ssh-key", { body }) });
}

function detail(one) {
  open({
    title: nameOf(one),
    wide: true,
    content: () =>
      h(
        "div",
        { class: "body stack" },
        facts([
          ["Id", h("code", null, one.id)],
          ["Fingerprint", h("code", null, one.fingerprint)],
          ["Added", moment(one.created_at)],
          ["Last used", one.last_used_at ? moment(one.last_used_at) : "never"],
        ]),
        copyable(one.public_key, "Copy", "Copy the public key"),
      ),
  });
}

function button(one) {
  const remove = async () => {
    const text = `${nameOf(one)} no longer opens the SSH gateway to this account.`;
    if (!(await confirm({ title: "Delete this SSH key?", text, verb: "Delete it" }))) return;
    await attempt(() => call("delete-ssh-key", { path: { id: one.id } }), "Deleted.");
  };
  return h(
    "button",
    { type: "button", class: "small danger", "aria-label": `Delete SSH key ${nameOf(one)}`, onclick: remove },
    "Delete",
  );
}
