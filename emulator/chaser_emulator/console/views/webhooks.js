// Webhooks: where the account is told what happens, how that fares, and every delivery.

import { h } from "../dom.js";
import { style, top } from "../parts.js";
import { to } from "../routes.js";
import { deliveries } from "./webhooks/deliveries.js";
import { createWebhook } from "./webhooks/making.js";
import { subscriptions } from "./webhooks/subscriptions.js";

export async function show({ query, signal }) {
  await style("webhooks");
  const [hooks, sent] = await Promise.all([subscriptions({ signal }), deliveries({ query, signal })]);
  const create = h("button", { type: "button", class: "primary", onclick: () => createWebhook() }, "New webhook");
  const sink = h("a", { class: "button", href: to("/sink") }, "Sink");
  return h("div", { class: "webhooks" }, top("Webhooks", sink, create), hooks, sent);
}
