// The request that an explanation says would pass, made: after those before it, whose answers it may name.

import { call } from "../../api.js";

const LATER = /\$CHASER_[A-Z_]+/g;
const OWN = "Bearer $CHASER_API_KEY";
const CALLERS = "Bearer $CHASER_KEY_OF_CALLER";
const FORM = "multipart/form-data";
/** Headers that a request which passes names, if it has them at all. */
const CHOSEN = ["x-chaser-account", "content-type", "origin"];

/** Why it cannot be sent from here, or null. */
export function canSend(said) {
  const steps = [...(said.first ?? []), said.passes];
  if (steps.some((one) => one.headers["content-type"] === FORM)) return "It sends a file of yours: copy the line.";
  if (steps.some((one) => one.path.startsWith("/_emulator"))) return "It begins with the control plane: copy the lines.";
  const keys = steps.map((one) => one.headers.authorization).filter(Boolean);
  const others = keys.some((one) => one !== OWN && one !== CALLERS);
  return others ? "It takes a key that this page does not have: copy the line." : null;
}

/** Send it, and answer the number of its exchange. Raises Refusal, or an Error for one that was refused. */
export async function sendPassing(exchange, said) {
  const names = new Map();
  for (const one of said.first ?? []) {
    const { request } = await again(exchange, one, names);
    if (request.status >= 300) throw new Error(`${one.method} ${one.path} was answered with ${request.status}`);
    const takes = Object.entries(one.takes ?? {});
    for (const [name, pointer] of takes) names.set(`$${name}`, at(request.response_body, pointer));
  }
  const { request } = await again(exchange, said.passes, names);
  if (!(request.status < 400)) {
    throw new Error(`it was answered with ${request.status ?? "nothing"}; see request ${request.number}`);
  }
  return request.number;
}

function again(exchange, one, names) {
  const filled = (text) => text.replace(LATER, (name) => (names.has(name) ? names.get(name) : name));
  const headers = {};
  for (const name of CHOSEN) if (name in exchange.request_headers) headers[name] = null;
  for (const [name, value] of Object.entries(one.headers)) if (name !== "authorization") headers[name] = filled(value);
  const caller = { [OWN]: "world", [CALLERS]: "same" }[one.headers.authorization] ?? "nobody";
  const body = { method: one.method, path: filled(one.path), headers, caller };
  if ("body" in one) body.value = JSON.parse(filled(JSON.stringify(one.body)));
  else body.text = "";
  return call("replay-request", { path: { number: exchange.number }, body });
}

function at(value, pointer) {
  return String(pointer.split("/").slice(1).reduce((found, step) => found[step], value));
}
