// What an assistant used: the sums, and each event that was noted.

import { call } from "../../api.js";
import { ask, open } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf } from "../../form.js";
import { pretty } from "../../format.js";
import { copyable, facts, moment } from "../../parts.js";
import { table } from "../../table.js";
import { following } from "../following.js";

const MOST = 200;
const WORDS = { tokens: "Tokens", tool_call: "Tool calls", session: "Sessions" };

export function show({ id, signal }) {
  return following({
    tags: ["assistants"],
    load: () => call("list-assistant-usage-events", { path: { id }, query: { limit: MOST }, signal }),
    draw: (usage) => draw(id, usage),
    signal,
  });
}

function draw(id, { events, totals }) {
  const add = async () => {
    const form = await formOf("create-assistant-usage-event", { open: ["metadata"] });
    await ask({
      title: "Note a usage event",
      verb: "Note it",
      form,
      submit: (body) => call("create-assistant-usage-event", { path: { id }, body }),
    });
  };
  const list = table({
    label: "Usage events",
    columns: [
      { title: "Kind", width: "minmax(0, 1fr)", render: (one) => WORDS[one.kind] ?? one.kind },
      { title: "Quantity", width: "8rem", narrow: "5rem", numeric: true, render: (one) => number(one.quantity) },
      {
        title: "About",
        width: "minmax(0, 2fr)",
        minor: true,
        render: (one) => (one.metadata ? JSON.stringify(one.metadata) : ""),
      },
      { title: "When", width: "10.5rem", narrow: "5.5rem", render: (one) => moment(one.created_at) },
    ],
    act: detail,
    empty: "Nothing was used yet.",
  });
  list.set(events);
  return [
    h(
      "div",
      { class: "bar-top" },
      h("h2", null, "Usage"),
      h("button", { type: "button", class: "primary", onclick: add }, "Note an event"),
    ),
    h(
      "div",
      { class: "cards three" },
      Object.entries(totals).map(([kind, sum]) =>
        h(
          "div",
          { class: "card" },
          h("p", { class: "figure" }, number(sum)),
          h("span", { class: "soft" }, WORDS[kind] ?? kind),
        ),
      ),
    ),
    events.length === MOST ? h("p", { class: "hint" }, `These are the newest ${MOST}; the sums are of all.`) : null,
    list.node,
  ];
}

const number = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 6 });

function detail(one) {
  open({
    title: WORDS[one.kind] ?? one.kind,
    content: () =>
      h(
        "div",
        { class: "body stack" },
        facts([
          ["Quantity", number(one.quantity)],
          ["When", moment(one.created_at)],
          ["Event", h("code", null, one.id)],
        ]),
        one.metadata ? copyable(pretty(one.metadata)) : null,
      ),
  });
}
