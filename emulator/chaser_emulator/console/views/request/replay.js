// A request sent again: edited before, and its answer beside the old one, with what differs marked.

import { call, wasGivenUp } from "../../api.js";
import { fill, freshId, h } from "../../dom.js";
import { counted, pretty } from "../../format.js";
import { to } from "../../routes.js";
import { answer, took } from "../requests/words.js";
import { half } from "./message.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const CALLERS = [
  ["same", "who made it, with the same rights"],
  ["world", "the key of this world"],
  ["nobody", "nobody, without a key"],
];
/** Headers that belong to a connection or to its caller, and are not for a person to write here. */
const NOT_WRITTEN = new Set([
  "host", "connection", "content-length", "transfer-encoding", "keep-alive", "te", "trailer", "expect", "upgrade",
  "authorization", "x-request-id", "x-chaser-observer",
]);
const NOTE = /^\[[^\]]+, \d+ bytes\]$/;

/** The section that does it for an exchange; `close()` takes it away. */
export function replayOf(exchange, close) {
  const before = written(exchange);
  const method = choice("Method", METHODS.map((one) => [one, one]), exchange.method);
  const path = field("Path and query", line(before.path));
  const caller = choice("Made by", CALLERS, "same");
  const headers = field("Headers", lines(before.headers, 8), "name: value, one a line");
  const body = field("Body", lines(before.body, 16), before.about);
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const result = h("div", { class: "result" });
  const send = h("button", { class: "primary" }, "Send it again");
  const form = h(
    "form",
    { class: "form", novalidate: true, onsubmit: submit },
    h("div", { class: "first-line" }, method.node, path.node, caller.node),
    headers.node,
    body.node,
    problem,
    h("div", { class: "actions" }, send, h("button", { type: "button", onclick: close }, "Close")),
  );

  async function submit(event) {
    event.preventDefault();
    problem.hidden = true;
    send.disabled = true;
    try {
      const wish = wishOf(exchange, before, {
        method: method.input.value, path: path.input.value, caller: caller.input.value,
        headers: headers.input.value, body: body.input.value,
      });
      const done = await call("replay-request", { path: { number: exchange.number }, body: wish });
      fill(result, outcome(exchange, done));
      result.querySelector("h3").focus();
    } catch (error) {
      if (wasGivenUp(error)) return;
      problem.hidden = false;
      fill(problem, error.message);
    } finally {
      send.disabled = false;
    }
  }

  const title = h("h2", { id: "again", tabindex: -1 }, "Send it again");
  return h("section", { class: "card replay", "aria-labelledby": "again" }, title, form, result);
}

/** What is written in the fields at first. */
function written(exchange) {
  const headers = Object.entries(exchange.request_headers).filter(([name]) => !NOT_WRITTEN.has(name));
  const body = exchange.request_body;
  const note = typeof body === "string" && NOTE.test(body);
  return {
    path: exchange.path + (exchange.query ? `?${exchange.query}` : ""),
    headers: headers.map(([name, value]) => `${name}: ${value}`).join("\n"),
    body: body === undefined || note ? "" : pretty(body),
    about: about(body, note),
  };
}

function about(body, note) {
  if (note) return `With nothing written here, the very bytes that were sent are sent again: ${body.slice(1, -1)}.`;
  if (body === undefined) return "It had none.";
  if (!JSON.stringify(body).includes("[hidden]")) return "";
  return "Where [hidden] stands, what was sent there is sent again, as long as it goes to the same operation.";
}

/** What is to be different, as replay-request takes it. */
function wishOf(exchange, before, now) {
  const wish = {};
  if (now.method !== exchange.method) wish.method = now.method;
  if (now.path !== before.path) wish.path = now.path;
  if (now.caller !== "same") wish.caller = now.caller;
  const changed = changedHeaders(headersIn(before.headers), headersIn(now.headers));
  if (Object.keys(changed).length) wish.headers = changed;
  if (now.body === before.body) return wish;
  const type = headersIn(now.headers).get("content-type") ?? "application/json";
  if (now.body.trim() && type.startsWith("application/json")) {
    try {
      wish.value = JSON.parse(now.body);
      return wish;
    } catch {
      // Who writes what is no JSON wants to see what comes of it.
    }
  }
  wish.text = now.body;
  return wish;
}

function headersIn(text) {
  const found = new Map();
  for (const line of text.split("\n").filter((one) => one.trim())) {
    const at = line.indexOf(":");
    if (at < 1) throw new Error(`"${line}" is not "name: value"`);
    found.set(line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim());
  }
  return found;
}

function changedHeaders(before, now) {
  const changed = {};
  for (const [name, value] of now) if (before.get(name) !== value) changed[name] = value;
  for (const name of before.keys()) if (!now.has(name)) changed[name] = null;
  return changed;
}

function outcome(exchange, { request, differences, untrue }) {
  const many = differences.length;
  const said = many ? counted(many, "difference") : "The same answer";
  const side = (title, one) => {
    const { response_headers: headers, response_body: body } = one;
    const head = h("h4", null, title, " ", answer(one), " ", h("span", { class: "soft" }, took(one)));
    return h("div", { class: "message" }, head, half(title, { headers, body, none: "No body.", differences }));
  };
  return [
    h("h3", { tabindex: -1 }, said),
    h("p", null, "It is ", linkTo(request.number), "."),
    untrue.length > 0 && h("ul", { class: "untrue" }, untrue.map((one) => h("li", null, `Not as it was: ${one}.`))),
    h("div", { class: "halves" }, side("Then", exchange), side("Now", request)),
  ];
}

function choice(label, options, value) {
  const shown = options.map(([said, title]) => h("option", { value: said, selected: said === value }, title));
  return field(label, h("select", null, shown));
}

const line = (value) => h("input", { value, autocomplete: "off", spellcheck: "false", class: "code" });

function lines(value, most) {
  const rows = Math.min(most, value.split("\n").length + 1);
  return h("textarea", { rows, spellcheck: "false", class: "code", value });
}

function field(label, input, hint) {
  const id = freshId("replay");
  input.id = id;
  const note = hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null;
  if (note) input.setAttribute("aria-describedby", note.id);
  return { input, node: h("div", { class: "field" }, h("label", { for: id }, label), input, note) };
}

const linkTo = (number) => h("a", { href: to("/requests/{number}", { number }) }, `request ${number}`);
