// All deliveries of the account, as many as there are, filtered and as they change.

import { account, call } from "../../api.js";
import { fill, freshId, h } from "../../dom.js";
import { short } from "../../format.js";
import * as live from "../../live.js";
import { badge, moment } from "../../parts.js";
import { to } from "../../routes.js";
import { table } from "../../table.js";

const PAGE = 200;
const NOTHING = "Nothing was sent yet. It begins with a webhook, and something that happens.";
const STATES = ["pending", "delivered", "failed", "discarded"];

/** A section with the filters and the table. `query` may name a `webhook_id` and a `status`. */
export async function deliveries({ query, signal }) {
  const chosen = { webhook_id: query.webhook_id ?? "", status: query.status ?? "" };
  const hooks = choice("Webhook", choose);
  const states = choice("State", choose);
  const place = h("div");
  let list;

  const ask = (before) =>
    call("list-deliveries", { query: { ...chosen, account_id: account(), before, limit: PAGE }, signal });

  async function learn() {
    const [{ webhooks }, { webhooks: counted }] = await Promise.all([
      call("list-webhooks", { signal }),
      call("count-deliveries", { query: { account_id: account() }, signal }),
    ]);
    const gone = counted.filter((one) => one.deleted);
    const names = [
      ["", "all"],
      ...webhooks.map((one) => [one.id, one.url]),
      ...gone.map((one) => [one.webhook_id, `${one.url} (deleted)`]),
    ];
    const wanted = chosen.webhook_id;
    if (!names.some(([id]) => id === wanted)) names.push([wanted, short(wanted)]);
    hooks.offer(names, wanted);
  }

  function choose() {
    Object.assign(chosen, { webhook_id: hooks.input.value, status: states.input.value });
    const kept = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value));
    history.replaceState(null, "", to("/webhooks", {}, kept));
    begin();
  }

  function begin() {
    const narrowed = chosen.webhook_id || chosen.status;
    list = table({
      label: "Deliveries",
      columns: [
        { title: "Event", width: "minmax(14rem, 1.5fr)", narrow: "1.5fr", render: titleOf },
        { title: "State", width: "7rem", narrow: "6rem", render: (one) => badge(one.status) },
        { title: "To", minor: true, width: "1.25fr", render: whereTo },
        { title: "Attempts", width: "5rem", numeric: true, minor: true, render: (one) => one.attempts },
        { title: "Last answer", minor: true, render: lastAnswer },
        { title: "Made", width: "11rem", minor: true, render: (one) => moment(one.created_at) },
      ],
      link: (one) => to("/webhooks/deliveries/{id}", { id: one.id }),
      empty: narrowed ? "No delivery is like that." : NOTHING,
      async next(rows) {
        const page = await ask(rows.at(-1)?.id);
        return { rows: page.deliveries, total: page.total, done: page.deliveries.length < PAGE };
      },
    });
    fill(place, list.node);
  }

  await learn();
  states.offer([["", "all"], ...STATES.map((one) => [one, one])], chosen.status);
  begin();
  live.changed(["*"], () => list.refresh(), signal);
  live.changed(["webhooks", "listening", "seed"], learn, signal);
  return h(
    "section",
    { "aria-labelledby": "deliveries" },
    h(
      "div",
      { class: "bar-top" },
      h("h2", { id: "deliveries" }, "Deliveries"),
      h("div", { class: "sieve" }, hooks.node, states.node),
    ),
    place,
  );
}

const titleOf = (one) => [one.event_type, " ", h("code", { class: "soft" }, short(one.resource_id))];

function whereTo({ target_url: url }) {
  const [, name] = /\/_emulator\/webhooks\/sink\/([^/?]+)$/.exec(url) ?? [];
  return h("span", { title: url }, name ? `sink ${name}` : url.replace(/^https?:\/\//i, ""));
}

function lastAnswer(one) {
  if (one.last_error) return h("span", { title: one.last_error }, one.last_http_status ?? one.last_error);
  return one.last_http_status ?? "";
}

function choice(label, onchange) {
  const id = freshId("filter");
  const input = h("select", { id, onchange });
  const node = h("div", { class: "narrowing" }, h("label", { for: id }, label), input);
  let offered = "";
  function offer(pairs, value) {
    if (offered === JSON.stringify(pairs)) return;
    offered = JSON.stringify(pairs);
    fill(input, pairs.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
  }
  return { node, input, offer };
}
