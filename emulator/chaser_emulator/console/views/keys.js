// The keys that open an account: those of programs, those of the SSH gateway, and service accounts with theirs.

import { h } from "../dom.js";
import { style, tabs, top } from "../parts.js";

const HERE = "/keys";

/** Each part: show({query, signal}) answers {node, action}, where the action is a button or null. */
const PARTS = [
  { name: "api", title: "API keys", load: () => import("./keys/api.js") },
  { name: "ssh", title: "SSH keys", load: () => import("./keys/ssh.js") },
  { name: "service", title: "Service accounts", load: () => import("./keys/service.js") },
];

export async function show({ query, signal }) {
  await style("account");
  const { chosen, links } = tabs("Kinds of keys", PARTS, HERE, query);
  const part = await chosen.load();
  const { node, action } = await part.show({ query, signal });
  return h("div", null, top("Keys", action), links, node);
}
