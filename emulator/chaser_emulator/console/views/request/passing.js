// The request that an explanation says would pass, made: after those before it, whose answers it may name.

import { allOperations, call } from "../../api.js";

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
  if (steps.some((one) => isOfControl(one) && !control(one))) return "It begins elsewhere: copy the lines.";
  const keys = steps.map((one) => one.headers.authorization).filter(Boolean);
  const others = keys.some((one) => one !== OWN && one !== CALLERS);
  return others ? "It takes a key that this page does not have: copy the line." : null;
}

/** Send it, and answer the number of its exchange. Raises Refusal, or an Error for one that was refused. */
export async function sendPassing(exchange, said) {
  const names = new Map();
  for (const one of said.first ?? []) {
    if (isOfControl(one)) {
      await call(...control(one));
      continue;
    }
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

const isOfControl = (one) => one.path.startsWith("/_emulator/");

/** What `call` takes for a request to the control plane, such as one that removes a fault; null where none is known. */
function control(one) {
  const [path, query = ""] = one.path.split("?");
  for (const { id, plane, method, path: template } of allOperations()) {
    if (plane !== "control" || method !== one.method) continue;
    const names = [...template.matchAll(/\{(\w+)\}/g)].map((found) => found[1]);
    const found = new RegExp(`^${template.replace(/\{\w+\}/g, "([^/]+)")}$`).exec(path);
    if (!found) continue;
    const values = Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(found[at + 1])]));
    return [id, { path: values, query: Object.fromEntries(new URLSearchParams(query)), body: one.body }];
  }
  return null;
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
