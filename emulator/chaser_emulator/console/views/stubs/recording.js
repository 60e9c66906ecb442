// Where commands really run: a recording of them, to make stubs of for a world in which none does.

import { call } from "../../api.js";
import { attempt, open } from "../../dialog.js";
import { fill, h } from "../../dom.js";
import { copyable } from "../../parts.js";
import { save } from "../../saving.js";

export async function show({ engine }) {
  const said = h("p", { role: "status", class: "clock-said spaced" });

  const tell = ({ state, commands }) => {
    const many = commands === 1 ? "one command has ended" : `${commands} commands have ended`;
    fill(said, state === "on" ? `It records; ${many}.` : `It does not record; in the recording ${many}.`);
  };
  const turn = (state) => () => attempt(async () => tell(await call("record-stubs", { body: { state } })));

  const node = h(
    "div",
    null,
    h(
      "section",
      { class: "card" },
      h("h2", null, "Commands really run here"),
      h(
        "p",
        { class: "lead" },
        `Sandboxes of this world run on the engine “${engine}”, so that no stub is asked for: commands answer ` +
          "themselves. Stubs are for an emulator, or a world, with --sandbox scripted.",
      ),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", null, "Record them"),
      h(
        "p",
        { class: "soft lead" },
        "A recording becomes stubs: each command’s text and directory, what it writes and when, how it ends, and the " +
          "files that it makes. Neither variables nor input are kept, and what runs in terminals is not recorded.",
      ),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", class: "primary", onclick: turn("on") }, "Record from now on"),
        h("button", { type: "button", onclick: turn("off") }, "Stop"),
        h("button", { type: "button", onclick: () => attempt(showRecorded) }, "Show it as stubs"),
      ),
      said,
    ),
  );
  return { node, actions: [] };
}

async function showRecorded() {
  const stubs = await call("recorded-stubs");
  const text = JSON.stringify(stubs, null, 2);
  const toFile = () => save(new Blob([text], { type: "application/json" }), "recorded.json");
  // Nobody waits for the dialog to be closed.
  open({
    title: "The recording, as stubs",
    wide: true,
    content: () =>
      h(
        "div",
        { class: "body" },
        stubs.length
          ? [
            copyable(text),
            h("div", { class: "actions spaced" }, h("button", { type: "button", onclick: toFile }, "Save as a file")),
          ]
          : h("p", null, "Nothing was recorded yet: record, run what is to be recorded, and look again."),
      ),
  });
}
