// One exchange of the journal in full, why it went so, and what can be made of it: lines, a fault, the same once more.

import { call, operation } from "../api.js";
import { tellError } from "../dialog.js";
import { fill, h } from "../dom.js";
import { gently } from "../gently.js";
import * as live from "../live.js";
import { badge, facts, moment, style, top } from "../parts.js";
import { to } from "../routes.js";
import { explanationOf, swagger } from "./request/explanation.js";
import { faultOf } from "./request/fault.js";
import { copyLine, linesOf } from "./request/lines.js";
import { message } from "./request/message.js";
import { neighbours } from "./request/neighbours.js";
import { replayOf } from "./request/replay.js";
import { asked, isRefused } from "./requests/matching.js";
import { statusKind, statusWord, took } from "./requests/words.js";

const HERE = "/requests/{number}";
const LOOK = 500;

export async function show({ params, query, signal }) {
  await style("requests");
  const wanted = asked(query);
  let exchange;
  try {
    exchange = await call("get-request", { path: params, signal });
  } catch (error) {
    if (error.status !== 404) throw error;
    return notKept(params.number, wanted);
  }
  const head = h("div");
  const content = h("div", { class: "exchange" });
  const again = h("div");
  const around = h("nav", { class: "around", "aria-label": "Other requests" });

  const openReplay = () => {
    const close = () => {
      fill(again);
      head.querySelector("button.again")?.focus();
    };
    fill(again, replayOf(exchange, close));
    again.querySelector("h2").focus();
  };
  const makeFault = async () => {
    const { codes = {} } = await call("get-operation", { path: { id: exchange.operation }, signal });
    const rule = faultOf(exchange, Object.keys(codes));
    location.hash = to("/faults", {}, { new: JSON.stringify(rule) });
  };

  function drawHead() {
    const button = (text, onclick, kind) => h("button", { type: "button", class: kind, onclick }, text);
    const title = h("span", { class: "line" }, exchange.method, " ", h("code", null, exchange.path));
    fill(
      head,
      top(
        [title, " ", badge(statusWord(exchange), statusKind(exchange))],
        button("Copy as curl", () => copyLine(exchange.number, "curl")),
        button("Copy as SDK call", () => copyLine(exchange.number, "sdk")),
        exchange.operation && button("Make this a fault", makeFault),
        !exchange.upgraded && button("Replay", openReplay, "primary again"),
      ),
    );
  }

  async function draw() {
    const { number } = exchange;
    const strange = isRefused(exchange) || exchange.fault || exchange.ignored;
    const [lines, said] = await Promise.all([
      part(async () => linesOf(await call("get-request-lines", { path: { number }, signal }))),
      strange && part(async () => explanationOf(exchange, await call("explain-request", { query: { number }, signal }))),
    ]);
    fill(
      content,
      said,
      h("section", { class: "card", "aria-label": "What it was" }, factsOf(exchange)),
      h(
        "div",
        { class: "halves" },
        message("Request", { headers: exchange.request_headers, body: exchange.request_body, none: "It had no body." }),
        message("Answer", { headers: exchange.response_headers, body: exchange.response_body, none: emptyAnswer(exchange) }),
      ),
      lines,
    );
  }

  /** A part of the page; where it fails, the rest is there all the same. */
  async function part(load) {
    try {
      return await load();
    } catch (error) {
      if (signal.aborted) throw error;
      return h("p", { class: "card problem", role: "alert" }, error.message);
    }
  }

  const drawAround = async () => {
    const { older, newer } = await neighbours(exchange.number, wanted, signal);
    const link = (number, text) =>
      number === undefined
        ? h("span", { class: "soft" }, text)
        : h("a", { href: to(HERE, { number }, wanted) }, text);
    const list = h("a", { href: to("/requests", {}, wanted) }, "All requests");
    fill(around, link(older, "← Older"), list, link(newer, "Newer →"));
  };
  const soon = gently(drawAround, signal, LOOK);

  live.on("exchange", async (told) => {
    if (told.number === exchange.number && !exchange.done) {
      exchange = await call("get-request", { path: { number: exchange.number }, signal });
      drawHead();
      await draw();
    }
    if (around.lastChild?.tagName !== "A") soon();
  }, signal);

  drawHead();
  await Promise.all([draw(), drawAround().catch(tellError)]);
  if (query.replay) openReplay();
  return h("div", { class: "request" }, around, head, again, content);
}

function factsOf(exchange) {
  const id = exchange.operation;
  return facts([
    ["Number", exchange.number],
    ["Request id", h("code", null, exchange.request_id)],
    ["Operation", id && h("span", null, `${id}: ${operation(id).summary} (`, swagger(id), ")")],
    ["Query", exchange.query && h("code", null, exchange.query)],
    ["At", moment(exchange.at)],
    ["Took", took(exchange) || "It is under way."],
    ["Refused with", exchange.code && h("code", null, exchange.code)],
    ["Account", exchange.account_id && sameAccount(exchange.account_id)],
    ["Caller", exchange.principal_id && h("code", null, exchange.principal_id)],
    ["Key", exchange.key_id && h("code", null, exchange.key_id)],
    ["Fault", exchange.fault && h("a", { href: to("/faults") }, exchange.fault)],
    ["Read by nobody", exchange.ignored && exchange.ignored.join(", ")],
    ["WebSocket", exchange.upgraded && "It became one; what is said on it is not kept."],
  ]);
}

const sameAccount = (id) => h("a", { href: to("/requests", {}, { account_id: id }), title: "All requests in it" }, id);

function emptyAnswer(exchange) {
  if (!exchange.done) return "It is still being answered.";
  if (exchange.status === undefined) return "The answer was lost on its way.";
  return "It had no body.";
}

function notKept(number, wanted) {
  return h(
    "div",
    { class: "request" },
    top(`Request ${number}`),
    h(
      "div",
      { class: "card" },
      h("p", null, "The journal has no such request: it keeps the last 1,000 in full, and may have been cleared."),
      h("a", { href: to("/requests", {}, wanted) }, "All requests"),
    ),
  );
}
