// What falls due: in which words it is told, and the page of what it happens to.

import { h } from "../../dom.js";
import { short } from "../../format.js";
import { to } from "../../routes.js";

const KINDS = {
  "session.expired": { ahead: "Session ends", past: "Session ended", path: "/sessions/{id}" },
  "webhook.attempted": { ahead: "Webhook is sent", past: "Webhook was sent", path: "/webhooks/deliveries/{id}" },
  "job.started": { ahead: "Job starts", past: "Job started", path: "/jobs/{id}" },
  "wallet.empty": { ahead: "Wallet runs dry", past: "Wallet ran dry", path: "/billing" },
};

/** What will happen, or what happened, in words; the word of the API is its title. */
export function told(one, tense) {
  return h("span", { title: one.what }, KINDS[one.what]?.[tense] ?? one.what);
}

/** The thing that it happens to, as a link to its page. */
export function linked(one) {
  const path = KINDS[one.what]?.path;
  const id = h("code", { title: one.id }, short(one.id));
  return path ? h("a", { href: to(path, { id: one.id }) }, id) : id;
}

/** What tells one from another. */
export const identify = (one) => `${one.what} ${one.id} ${one.at}`;
