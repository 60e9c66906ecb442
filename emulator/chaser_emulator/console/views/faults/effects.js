// What a fault can do, in words, and how each is asked for and told.

import { h } from "../../dom.js";
import { fieldsOf } from "../../fields.js";

/** Every effect: its name in a rule, its title, and what it means for a client. `timed` may come before or after. */
export const EFFECTS = [
  {
    name: "error",
    title: "A refusal of the API",
    timed: true,
    about: "A code that the document declares, in its true form: 429 with Retry-After, 401, 503.",
  },
  {
    name: "answer",
    title: "Any answer",
    timed: true,
    about: "A status, headers and a body of your own, as a proxy on the way would send them.",
  },
  {
    name: "lost",
    title: "The answer is lost",
    about: "The change is made, and the client never hears of it: the connection is reset, closed, or hangs.",
  },
  { name: "reset", title: "The connection is cut", about: "The connection ends before anything has happened." },
  { name: "latency", title: "It takes longer", timed: true, about: "Real seconds more; between two, they are drawn." },
  { name: "slow", title: "The answer drips", about: "The body comes in pieces with a pause between them." },
  {
    name: "truncate",
    title: "The answer breaks off",
    about: "In the midst of its body, or after some events of a stream.",
  },
  {
    name: "drop",
    title: "A WebSocket ends",
    about: "At once, after some messages, or after some seconds: terminals, previews, browsers.",
  },
  {
    name: "raise",
    title: "The handler fails",
    timed: true,
    about: "A true internal_error, as of a bug in the service.",
  },
  {
    name: "engine",
    title: "The sandbox fails",
    about: "It does not start, dies under a command, has no room left, or does not answer.",
  },
  {
    name: "webhook",
    title: "A webhook misbehaves",
    about: "Deliveries come twice, late, in another order, or with a wrong signature.",
  },
];

const LONG = {
  error: (value) => (typeof value === "string" ? { code: value } : value),
  answer: (value) => (typeof value === "number" ? { status: value } : value),
  lost: howOf,
  reset: howOf,
  truncate: (value) => (typeof value === "number" ? { bytes: value } : value),
  slow: (value) => (typeof value === "number" ? { seconds: value } : value),
  drop: (value) => (typeof value === "number" ? { messages: value } : value),
  raise: (value) => (typeof value === "string" ? { message: value } : value),
  engine: (value) => (typeof value === "string" ? { kind: value } : value),
  webhook: (value) => (typeof value === "string" ? MISBEHAVING[value] : value),
};
const MISBEHAVING = {
  duplicate: { duplicate: 1 },
  reorder: { reorder: true },
  late: { delay: 60 },
  wrong_signature: { wrong_signature: true },
};

/** Fields that few want. */
const SELDOM = { error: ["message", "details", "headers"], engine: ["message", "delay", "after"] };

function howOf(value) {
  return typeof value === "string" ? { how: value } : value;
}

/** The effect of a rule: its entry in EFFECTS, or null. */
export const effectOf = (rule) => EFFECTS.find((one) => rule[one.name] !== undefined) ?? null;

/**
 * The fields of one effect, {node, read(), complain(words, message), clear()}. `schema` is that of its value, `value`
 * what it was, and `codes` are those that a refusal may have.
 */
export function effectFields(name, schema, value, codes) {
  if (name === "latency") return latencyFields(value);
  const properties = { ...schema.properties };
  const long = (LONG[name] ?? ((one) => one))(value);
  const initial = long && typeof long === "object" ? long : {};
  if (name === "error") {
    properties.code = { description: properties.code.description, enum: withOwn(codes, initial.code) };
  }
  if (name === "engine") {
    properties.on = { ...properties.on, type: "array" };
    if (initial.on) initial.on = [initial.on].flat();
  }
  const made = fieldsOf({ properties, required: schema.required }, { initial });
  const read = () => {
    const body = made.read();
    return Object.keys(body).length || ["error", "answer", "slow", "engine", "webhook"].includes(name) ? body : true;
  };
  const seldom = made.fields.filter((field) => SELDOM[name]?.includes(field.name) && !field.first);
  const usual = made.fields.filter((field) => !seldom.includes(field));
  const nodes = [usual.map((field) => field.node)];
  const more = seldom.map((field) => field.node);
  if (more.length) nodes.push(h("details", null, h("summary", null, "More to say"), more));
  return { node: h("div", { class: "fields" }, nodes), ...made, read };
}

/** What was asked for is offered, whatever the document says of it. */
function withOwn(codes, own) {
  return own === undefined || codes.includes(own) ? codes : [own, ...codes];
}

function latencyFields(value) {
  const [least, most] = [value ?? []].flat();
  const bounds = { type: "number", minimum: 0, maximum: 86400 };
  const made = fieldsOf(
    {
      properties: {
        seconds: { ...bounds, description: "Real seconds that the call takes longer." },
        at_most: { ...bounds, description: "With this, a random number of seconds between the two." },
      },
      required: ["seconds"],
    },
    { initial: { seconds: least, at_most: most } },
  );
  const read = () => {
    const { seconds, at_most: end } = made.read();
    return end === undefined ? seconds : [seconds, end];
  };
  return { node: h("div", { class: "fields" }, made.fields.map((field) => field.node)), ...made, read };
}

/** What a rule does, in a few words. */
export function doing(rule) {
  const { error, answer, truncate, latency, slow, drop, engine, webhook } = rule;
  const after = rule.when === "after" ? ", once the change is made" : "";
  const again = error?.retry_after === undefined ? "" : `, to be tried after ${error.retry_after} s`;
  if (error) return `refuses with ${error.code}${again}${after}`;
  if (answer) return `answers ${answer.status}${after}`;
  if (rule.lost) return `loses the answer (${rule.lost.how})`;
  if (rule.reset) return `cuts the connection (${rule.reset.how})`;
  if (truncate) return `breaks the answer off ${amount(truncate, "in the middle")}`;
  if (latency !== undefined) return `takes ${[latency].flat().join(" to ")} s longer${after}`;
  if (slow) return `drips the answer, ${slow.seconds} s a piece`;
  if (drop) return `ends the WebSocket ${amount(drop, "at once")}`;
  if (rule.raise) return `fails inside${after}`;
  if (engine) return `the sandbox: ${engine.kind.replaceAll("_", " ")}`;
  if (webhook) return `the webhook: ${Object.keys(webhook).join(", ").replaceAll("_", " ")}`;
  return "";
}

function amount(value, usual) {
  const [entry] = Object.entries(value).filter(([name]) => name !== "code");
  return entry ? `after ${entry[1]} ${entry[0]}` : usual;
}

/** Which calls a rule is about, in a few words. */
export function about(rule) {
  const what = [...(rule.operations ?? []), ...(rule.events ?? [])].join(", ") || "whatever can have it";
  const only = [];
  if (rule.account) only.push("one account");
  if (rule.key) only.push("one key");
  if (rule.webhook_id) only.push("one webhook");
  if (rule.path) only.push(Object.entries(rule.path).map(([name, value]) => `${name} ${value}`).join(", "));
  return only.length ? `${what} (${only.join("; ")})` : what;
}

/** What is left of a rule, in a few words. */
export function left(rule) {
  if (rule.spent) return "spent";
  const words = [];
  if (rule.times !== undefined) words.push(`${rule.times - rule.acted} more`);
  if (rule.calls) words.push(`calls ${rule.calls.join(", ")}`);
  if (rule.probability !== undefined) words.push(`${Math.round(rule.probability * 100)} %`);
  return words.join(", ") || "always";
}
