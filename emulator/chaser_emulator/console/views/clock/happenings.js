// What falls due: in which words it is told, and the page of what it happens to.

import { h } from "../../dom.js";
import { short } from "../../format.js";
import { to } from "../../routes.js";

const KINDS = {
  "session.expired": { ahead: "A session ends", past: "A session ended", path: "/sessions/{id}" },
  "webhook.attempted": { ahead: "A webhook is sent", past: "A webhook was sent", path: "/webhooks/deliveries/{id}" },
  "job.started": { ahead: "A job starts", past: "A job started", path: "/jobs/{id}" },
  "wallet.empty": { ahead: "A wallet runs dry", past: "A wallet ran dry", path: "/billing" },
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
