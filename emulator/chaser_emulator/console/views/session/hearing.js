// What happens in one session, told from what happens in all others.

import { operation } from "../../api.js";
import { gently } from "../../gently.js";
import * as live from "../../live.js";

const TOGETHER = 150;
const TAGS = ["exec", "files", "sessions", "mcp"];

/**
 * Call `listener()` when something in a session may have changed, once for what happens within a moment; while it is
 * still at it, once more afterwards.
 */
export function heard(session, listener, signal) {
  const soon = gently(listener, signal, TOGETHER);
  live.on("*", (data, kind) => concerns(session.id, kind, data) && soon(), signal);
}

function concerns(id, kind, data) {
  if (kind === "back" || kind === "due") return true;
  if (kind === "event") return data.resource_id === id || data.resource_type === "command";
  if (kind !== "exchange" || data.method === "GET" || !data.operation) return false;
  // One that names another session concerns that; what names none, as a tool does, may concern any.
  const named = /^\/v1\/sessions\/([^/?]+)/.exec(data.path)?.[1];
  return (named === undefined || named.toLowerCase() === id) && TAGS.includes(operation(data.operation).tag);
}
