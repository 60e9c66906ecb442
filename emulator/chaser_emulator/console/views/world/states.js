// States of the world: kept under a name or saved to a file, and gone back to.

import { call } from "../../api.js";
import { ask, attempt, confirm } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOfSchema } from "../../form.js";
import { bytes } from "../../format.js";
import * as live from "../../live.js";
import { badge, fileButton, moment } from "../../parts.js";
import { save } from "../../saving.js";
import { table } from "../../table.js";

const DISKS = {
  type: "boolean",
  default: false,
  description: "The files of workspaces and snapshots as well; without, they are empty when it is loaded.",
};

export async function show({ signal }) {
  const list = table({
    label: "Kept states",
    columns: [
      { title: "Name", render: (one) => h("strong", null, one.name) },
      {
        title: "Kept",
        width: "11rem",
        minor: true,
        render: (one) => (one.problem ? one.problem : moment(one.created_at)),
      },
      {
        title: "Size",
        width: "6rem",
        minor: true,
        numeric: true,
        render: (one) => (one.bytes === undefined ? "" : bytes(one.bytes)),
      },
      {
        title: "Files",
        width: "6rem",
        minor: true,
        render: (one) => (one.problem ? badge("damaged", "bad") : one.disks ? "with files" : ""),
      },
      { title: "", width: "11.5rem", narrow: "6rem", render: buttons },
    ],
    identify: (one) => one.name,
    empty: "No state is kept. Keep one before you try something, and come back to it.",
  });
  list.node.classList.add("fits");

  async function look() {
    list.set((await call("list-states", { signal })).states);
  }

  await look();
  live.changed(["state"], look, signal);
  return h(
    "div",
    null,
    h(
      "div",
      { class: "actions seek" },
      h("button", { type: "button", class: "primary", onclick: keep }, "Keep the state"),
      h("button", { type: "button", onclick: saveToFile }, "Save it to a file"),
      loadButton(),
    ),
    list.node,
  );
}

function buttons(one) {
  return h(
    "div",
    { class: "row-actions" },
    one.problem
      ? null
      : h(
        "button",
        { type: "button", class: "small", "aria-label": `Go back to ${one.name}`, onclick: () => restore(one) },
        "Go back to it",
      ),
    h(
      "button",
      { type: "button", class: "small danger", "aria-label": `Delete ${one.name}`, onclick: () => remove(one) },
      "Delete",
    ),
  );
}

async function keep() {
  const form = formOfSchema(
    {
      properties: {
        name: {
          type: "string",
          description: "Letters, digits, dots, hyphens and underscores. It takes the place of one so called.",
        },
        disks: DISKS,
      },
      required: ["name"],
    },
    { open: ["disks"], labels: { disks: "with files" } },
  );
  const submit = ({ name, ...body }) => call("keep-state", { path: { name }, body });
  await ask({ title: "Keep the state", verb: "Keep it", form, submit });
}

async function saveToFile() {
  const form = formOfSchema({ properties: { disks: DISKS } }, { labels: { disks: "with files" } });
  const submit = (body) => call("save-state", { body, as: "blob" });
  const file = await ask({ title: "Save the state to a file", verb: "Save it", form, submit });
  if (file) save(file, "world.chaser-state");
}

const REPLACES = "The world becomes what the state holds, in place of all that it is now. What runs in it ends.";

function loadButton() {
  const take = async (file) => {
    if (!(await confirm({ title: `Load ${file.name}?`, text: REPLACES, verb: "Load it" }))) return;
    const body = new Blob([file]);
    await attempt(() => call("load-state", { body, type: "application/octet-stream" }), "The state is loaded.");
  };
  return fileButton("Load one from a file…", { label: "A saved state", take });
}

async function restore({ name }) {
  if (!(await confirm({ title: `Go back to ${name}?`, text: REPLACES, verb: "Go back" }))) return;
  await attempt(() => call("load-kept-state", { path: { name } }), `The world is what ${name} holds.`);
}

async function remove({ name }) {
  if (!(await confirm({ title: `Delete ${name}?`, text: "Nothing of it remains." }))) return;
  await attempt(() => call("delete-state", { path: { name } }), "Deleted.");
}
