// What has come to the sink, newest first, as it comes.

import { call } from "../../api.js";
import { attempt, confirm, open } from "../../dialog.js";
import { freshId, h } from "../../dom.js";
import { gently } from "../../gently.js";
import * as live from "../../live.js";
import { moment } from "../../parts.js";
import { table } from "../../table.js";
import { answer, content, signature } from "./content.js";

const KEPT = 1000;
const PAUSE = 300;

/** A section with the filters and the table. */
export async function received({ signal }) {
  const event = field("Event", { placeholder: "session.*" });
  const name = field("Name", { placeholder: "ci" });
  const verified = choice("Signature", [["", "any"], ["true", "verified"], ["false", "not verified"]]);
  const clear = h("button", { type: "button", class: "danger", onclick: () => forget(again) }, "Clear");
  let last = 0;
  let asked = "";

  const list = table({
    label: "Received",
    columns: [
      { title: "Event", width: "minmax(12rem, 1.5fr)", narrow: "1.4fr", render: titleOf },
      { title: "Signature", width: "8rem", narrow: "7rem", render: signature },
      { title: "Name", minor: true, render: (one) => one.name },
      { title: "Answered", width: "7rem", minor: true, render: answer },
      { title: "Attempt", width: "5rem", numeric: true, minor: true, render: (one) => one.attempt },
      { title: "Came", width: "11rem", minor: true, render: (one) => moment(one.at) },
    ],
    identify: (one) => one.number,
    act: (one) => open({ title: titleOf(one), wide: true, content: () => content(one) }),
    empty: "Nothing has come. Let a webhook lead here, and do something: what comes is shown at once.",
    most: KEPT,
  });

  const filters = () => ({ event: event.input.value.trim(), name: name.input.value.trim(), verified: verified.input.value });

  /** What is new, or all of it anew where other things are asked for than before. */
  async function more() {
    const wanted = filters();
    const anew = asked !== JSON.stringify(wanted);
    const since = anew ? 0 : last;
    const { received: found } = await call("list-received", { query: { ...wanted, since, limit: KEPT }, signal });
    asked = JSON.stringify(wanted);
    const newestFirst = found.reverse();
    if (anew) list.set(newestFirst);
    else if (newestFirst.length) list.prepend(newestFirst);
    last = newestFirst[0]?.number ?? (anew ? 0 : last);
  }

  const soon = gently(more, signal);
  function again() {
    asked = "";
    return soon();
  }

  let waiting;
  for (const input of [event.input, name.input]) {
    input.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(again, PAUSE);
    });
  }
  verified.input.addEventListener("change", again);
  await more();
  live.on("received", soon, signal);
  // Cleared by somebody, or the world is another one.
  live.on("control", (told) => told.operation === "clear-received" && again(), signal);
  live.on("back", again, signal);
  return h(
    "section",
    { "aria-labelledby": "received" },
    h(
      "div",
      { class: "bar-top" },
      h("h2", { id: "received" }, "What has come"),
      h("div", { class: "sieve" }, event.node, name.node, verified.node, clear),
    ),
    list.node,
  );
}

const titleOf = (one) => one.event_type ?? `Request ${one.number}`;

async function forget(again) {
  const text = "All that has come is forgotten, also what a test still waits for. How names behave stays.";
  if (!(await confirm({ title: "Forget what has come?", text, verb: "Forget it" }))) return;
  await attempt(() => call("clear-received"), ({ cleared }) => `${cleared} forgotten.`);
  await again();
}

function field(label, properties) {
  const id = freshId("filter");
  const input = h("input", { id, type: "search", autocomplete: "off", spellcheck: "false", ...properties });
  return { input, node: h("div", { class: "narrowing" }, h("label", { for: id }, label), input) };
}

function choice(label, pairs) {
  const id = freshId("filter");
  const input = h("select", { id }, pairs.map(([value, text]) => h("option", { value }, text)));
  return { input, node: h("div", { class: "narrowing" }, h("label", { for: id }, label), input) };
}
