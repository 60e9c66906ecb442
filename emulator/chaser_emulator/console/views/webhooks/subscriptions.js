// The webhooks of the account: what each gets, and how its deliveries fare.

import { account, call } from "../../api.js";
import { attempt, confirm } from "../../dialog.js";
import { fill, h } from "../../dom.js";
import * as live from "../../live.js";
import { moment } from "../../parts.js";
import { to } from "../../routes.js";
import { createWebhook, createWebhookToSink } from "./making.js";

const NOTHING =
  "No webhooks yet. A webhook tells an address of yours what happens: sessions that start and end, jobs that fail.";
const STATES = ["pending", "delivered", "failed", "discarded"];
const KINDS = { pending: "warn", delivered: "good", failed: "bad", discarded: "" };

/** A section with a card for each webhook, which follows what happens. */
export async function subscriptions({ signal }) {
  const cards = new Map();
  const title = h("h2", { id: "subscriptions", tabindex: -1 }, "Subscriptions");
  const list = h("ul", { class: "cards hooks" });
  const nothing = h(
    "div",
    { class: "card empty", hidden: true },
    h("p", null, NOTHING),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", onclick: () => createWebhook() }, "Make one"),
      h("button", { type: "button", onclick: () => attempt(createWebhookToSink) }, "Make one that leads to the sink"),
    ),
  );

  async function draw() {
    const [{ webhooks }, { webhooks: counted }] = await Promise.all([
      call("list-webhooks", { signal }),
      call("count-deliveries", { query: { account_id: account() }, signal }),
    ]);
    for (const [id, card] of cards) {
      if (webhooks.some((one) => one.id === id)) continue;
      if (card.node.contains(document.activeElement)) title.focus();
      card.node.remove();
      cards.delete(id);
    }
    webhooks.forEach((webhook, at) => {
      if (!cards.has(webhook.id)) cards.set(webhook.id, cardOf(webhook));
      const card = cards.get(webhook.id);
      card.count(counted.find((one) => one.webhook_id === webhook.id));
      if (list.children[at] !== card.node) list.insertBefore(card.node, list.children[at] ?? null);
    });
    nothing.hidden = webhooks.length > 0;
  }

  await draw();
  live.changed(["webhooks", "deliveries", "listening", "seed"], draw, signal);
  return h("section", { "aria-labelledby": "subscriptions" }, title, list, nothing);
}

function cardOf(webhook) {
  const fares = h("div", { class: "fares" });
  let shown = null;
  function count(counts) {
    const words = STATES.filter((state) => counts?.[state]).map((state) => `${counts[state]} ${state}`);
    if (shown === words.join()) return;
    shown = words.join();
    const links = STATES.filter((state) => counts?.[state]).map((state) =>
      h(
        "a",
        { class: `badge ${KINDS[state]}`, href: to("/webhooks", {}, { webhook_id: webhook.id, status: state }) },
        `${counts[state]} ${state}`,
      ),
    );
    fill(fares, links.length ? links : h("span", { class: "soft" }, "Nothing was sent to it yet."));
  }
  const events = webhook.events.length ? webhook.events : ["every event"];
  const named = { class: "small danger", "aria-label": `Delete the webhook to ${webhook.url}` };
  const remove = h("button", { type: "button", ...named, onclick: () => deleteWebhook(webhook) }, "Delete");
  const node = h(
    "li",
    { class: "card hook" },
    h("div", { class: "head" }, h("h3", { class: "target-url" }, webhook.url), remove),
    webhook.description ? h("p", null, webhook.description) : null,
    h("ul", { class: "chips", "aria-label": "Events" }, events.map((one) => h("li", null, one))),
    fares,
    h(
      "p",
      { class: "soft small-print" },
      "Secret ",
      h("code", null, webhook.signing_secret_preview),
      " · made ",
      moment(webhook.created_at),
    ),
  );
  return { node, count };
}

async function deleteWebhook(webhook) {
  const text =
    `Nothing is sent to ${webhook.url} any more, and what is still to be sent there is given up. ` +
    "Its deliveries stay in the list.";
  if (!(await confirm({ title: "Delete this webhook?", text, verb: "Delete it" }))) return;
  await attempt(() => call("delete-webhook", { path: { id: webhook.id } }), "Deleted.");
}
