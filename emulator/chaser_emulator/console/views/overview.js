// The overview: what runs here and how one reaches it, what lives, what is still to come, what was refused.

import { call } from "../api.js";
import { h } from "../dom.js";
import { bytes, cents, clockOf, seconds, short } from "../format.js";
import * as live from "../live.js";
import { badge, copyable, facts, moment, panel, style, top } from "../parts.js";
import { to } from "../routes.js";
import { told, linked as thing } from "./clock/happenings.js";
import { worldActions } from "./worlds.js";

const SHOWN = 6;

export async function show({ signal }) {
  await style("overview");
  const here = await call("describe-world", { signal });
  live.on("exchange", (one) => one.status >= 400 && live.tell("refused"), signal);
  return h(
    "div",
    null,
    top("Overview", ...worldActions(here)),
    h(
      "div",
      { class: "cards overview" },
      panel("Point a client here", () => exportLines(here), { signal, kind: "exports" }),
      panel("Live sessions", () => sessions(signal), { tags: ["sessions", "exec"], signal }),
      panel("Still to come", () => pending(signal), { tags: ["*"], signal }),
      panel("Refused lately", () => refused(signal), { tags: ["refused", "requests"], signal }),
      panel("World", () => world(here, signal), { tags: ["clock"], signal }),
      panel("Billing", () => billing(signal), { tags: ["billing", "workspaces", "sessions", "exec"], signal }),
      panel("Engine", () => engine(here), { signal }),
    ),
  );
}

function exportLines(here) {
  const port = here.ssh_port;
  const ssh = port ? h("p", { class: "hint" }, `SSH is answered on port ${port}; the user is a workspace.`) : null;
  return h("div", { class: "lines" }, here.exports.map((line) => copyable(line, "Copy", `Copy ${nameIn(line)}`)), ssh);
}

const nameIn = (line) => /\w+(?==)/.exec(line)[0];

function engine(here) {
  const { name, version, isolation, warnings, reason } = here.engine;
  return h(
    "div",
    null,
    facts([
      ["Runs", h("span", null, name, " ", h("span", { class: "soft" }, version))],
      ["Emulator", here.emulator],
      ["Isolation", isolation],
      ["Chosen as", reason],
    ]),
    warnings.length ? h("ul", { class: "warnings" }, warnings.map((one) => h("li", null, one))) : null,
  );
}

async function world(here, signal) {
  const clock = await call("get-clock", { signal });
  return facts([
    ["World", h("code", null, here.id)],
    ["Plan at first", here.plan],
    ["Unknown commands", here.strict ? "fail a test (strict)" : "pass"],
    ["Clock", badge(clock.mode, clock.mode === "frozen" ? "warn" : "good")],
    ["Now", h("a", { href: "#/clock" }, ticking(clock, signal))],
    ["Its account", h("code", { title: here.account_id }, short(here.account_id))],
  ]);
}

/** The time of a world's clock, which goes on by itself where it is not frozen. */
function ticking(clock, signal) {
  const begun = performance.now();
  const from = Date.parse(clock.now);
  const node = h("time", null);
  const draw = () => {
    const gone = clock.mode === "frozen" ? 0 : performance.now() - begun;
    const now = new Date(from + gone).toISOString();
    node.dateTime = now;
    node.textContent = now.slice(0, 19).replace("T", " ");
  };
  draw();
  if (clock.mode === "frozen") return node;
  // Nothing is asked for: it is the page's own clock that goes.
  const timer = setInterval(() => (node.isConnected ? draw() : clearInterval(timer)), 1000);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  return node;
}

async function billing(signal) {
  const found = await call("get-billing-summary", { signal });
  const { workspace_storage_used_bytes: used, workspace_storage_cap_bytes: cap, limits } = found;
  const { wallet_balance_micros_usd: micros, usage_last_24h: day } = found;
  return facts([
    ["Plan", h("a", { href: "#/billing" }, found.plan_code ?? found.pricing_model)],
    ["Wallet", micros === null || micros === undefined ? null : cents(Math.floor(micros / 10000))],
    ["Storage", used === null || used === undefined ? null : storage(used, cap)],
    ["Sessions at once", limits?.max_concurrency],
    ["Used in 24 h", `${seconds(day.seconds) || "0 s"}, ${cents(Math.round(day.amount_micros_usd / 10000))}`],
  ]);
}

function storage(used, cap) {
  const text = cap ? `${bytes(used)} of ${bytes(cap)}` : bytes(used);
  if (!cap) return text;
  const meter = h("meter", { min: 0, max: cap, high: cap * 0.9, "aria-label": `Storage: ${text}`, value: used });
  return h("span", { class: "storage" }, text, meter);
}

async function sessions(signal) {
  const found = await call("list-sessions", { query: { limit: SHOWN }, signal });
  if (!found.sessions.length) {
    return h("p", { class: "soft" }, "None lives now. ", h("a", { href: "#/sessions" }, "Start one"));
  }
  const rows = found.sessions.map((one) =>
    h(
      "li",
      null,
      h("a", { href: to("/sessions/{id}", { id: one.id }) }, h("code", null, short(one.id))),
      h("span", { class: "soft" }, one.session_type),
      badge(one.status),
    ),
  );
  const more = found.total > found.sessions.length ? h("a", { href: "#/sessions" }, `All ${found.total}`) : null;
  return h("div", null, h("ul", { class: "short" }, rows), more);
}

async function pending(signal) {
  const [now, later] = await Promise.all([
    call("get-readiness", { signal }),
    call("list-due", { query: { limit: SHOWN }, signal }),
  ]);
  const shown = now.pending.slice(0, SHOWN);
  const rows = shown.map((one) => h("li", null, linked(one.what), h("span", { class: "soft" }, one.why)));
  const hidden = now.pending.length - shown.length;
  const due = later.due.slice(0, SHOWN - shown.length).map((one) => {
    const what = h("span", null, told(one, "ahead"), " ", thing(one));
    return h("li", null, what, h("span", { class: "soft" }, moment(one.at)));
  });
  return h(
    "div",
    null,
    now.ready ? h("p", { class: "soft" }, "Nothing is under way: the world is at rest.") : null,
    rows.length ? h("ul", { class: "short" }, rows) : null,
    hidden ? h("p", { class: "soft" }, `and ${hidden} more under way`) : null,
    due.length ? h("ul", { class: "short" }, due) : null,
  );
}

const PAGES = { session: "/sessions/{id}", job: "/jobs/{id}", delivery: "/webhooks/deliveries/{id}" };

/** "job 9849e0fc-…" as a link to it; what has no page as it is. */
function linked(what) {
  const [kind, id] = what.split(" ");
  return id && PAGES[kind] ? h("a", { href: to(PAGES[kind], { id }) }, what) : h("span", null, what);
}

async function refused(signal) {
  const found = await call("list-requests", { query: { refused: true, limit: SHOWN }, signal });
  if (!found.requests.length) return h("p", { class: "soft" }, "No request was refused.");
  const rows = found.requests.reverse().map((one) =>
    h(
      "li",
      null,
      h("a", { href: to("/requests/{number}", { number: one.number }) }, `${one.method} ${one.path}`),
      h("time", { class: "soft", datetime: one.at, title: one.at }, clockOf(one.at)),
      badge(`${one.status} ${one.code ?? ""}`.trim(), "bad"),
    ),
  );
  return h("ul", { class: "short" }, rows);
}
