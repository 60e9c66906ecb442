// One request that has come to the sink, in full: whether it is signed as it should be, its headers and its body.

import { h } from "../../dom.js";
import { pretty } from "../../format.js";
import { badge, copyable, facts, moment } from "../../parts.js";
import { to } from "../../routes.js";

/** The content of a dialog about it. */
export function content(one) {
  const lines = Object.entries(one.headers).map(([name, value]) => `${name}: ${value}`);
  return h(
    "div",
    { class: "body received" },
    facts([
      ["Signature", signature(one)],
      ["Why not", one.wrong],
      ["Came", moment(one.at)],
      ["To the name", h("code", null, one.name)],
      ["Answered", answer(one)],
      ["Attempt", one.attempt],
      ["Event", one.event_id && h("code", null, one.event_id)],
      ["Delivery", delivery(one)],
    ]),
    h("h3", null, "Body"),
    copyable(one.json === undefined ? one.body : pretty(one.json)),
    h("h3", null, "Headers"),
    copyable(lines.join("\n")),
  );
}

function delivery({ delivery_id: id, verified }) {
  // What a stranger sent may name a delivery that there is not.
  return id && verified ? h("a", { href: to("/webhooks/deliveries/{id}", { id }), onclick: leave }, id) : id;
}

/** Whether it is signed by a webhook of this world. */
export const signature = (one) => (one.verified ? badge("verified", "good") : badge("not verified", "warn"));

/** What it was answered. */
export function answer(one) {
  if (one.status === undefined) return badge("too late", "bad");
  return badge(one.status, one.status >= 200 && one.status < 300 ? "good" : "bad");
}

function leave(event) {
  event.target.closest("dialog")?.close();
}
