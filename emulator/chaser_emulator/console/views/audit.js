// The audit log: what was done in the account, by whom and whether it went well, as far back as one scrolls.

import { call } from "../api.js";
import { open } from "../dialog.js";
import { fill, h } from "../dom.js";
import { pretty, short } from "../format.js";
import * as live from "../live.js";
import { badge, copyable, facts, moment, style, top } from "../parts.js";
import { table } from "../table.js";
import { dotted } from "./dotted.js";
import { filters, sayable } from "./filters.js";
import { placeOf, TYPES } from "./places.js";

const PAGE = 500;
const HERE = "/audit";

export async function show({ query, signal }) {
  await style("account");
  const fields = [
    { name: "action", label: "Action", known: ACTIONS },
    { name: "resource_type", label: "Resource type", known: TYPES },
    { name: "resource_id", label: "Resource id" },
    { name: "status", label: "Status", options: ["success", "failure"] },
  ];
  const given = sayable(fields, query);
  const place = h("div");
  let list = null;
  const draw = (values) => {
    list = listOf(values, signal);
    fill(place, list.table.node);
  };
  draw(given);
  // While nobody answers the list stays as it is; the header says that it is old.
  live.changed(["*"], () => list.follow().catch(() => {}), signal);
  const note = h(
    "p",
    { class: "soft" },
    "Who did what in this account, newest first. Refused and failed changes are here as well.",
  );
  return h(
    "div",
    null,
    top("Audit"),
    note,
    filters({ label: "Which events", page: HERE, fields, values: given, changed: draw }),
    place,
  );
}

/** What the document calls actions, and what others have that are recorded. */
const ACTIONS = [
  "session.create",
  "session.terminate",
  "session.exec",
  "workspace.create",
  "workspace.delete",
  "workspace.name.update",
  "workspace.template.update",
  "workspace.snapshot.create",
  "workspace.snapshot.restore",
  "workspace.snapshot.delete",
  "api_key.create",
  "api_key.revoke",
  "billing.account.update",
  "billing.checkout.create",
  "account.member.add",
  "account.member.update",
  "account.member.remove",
  "service_account.create",
  "service_account.delete",
  "ssh_key.create",
  "ssh_key.delete",
  "assistant.credential.resolve",
];

/** The events that fit: {table, follow()}, where `follow` adds what is new above and asks for nothing else again. */
function listOf(values, signal) {
  const narrowed = Object.values(values).some(Boolean);
  const page = async (more) => (await call("list-audit-events", { query: { ...values, ...more }, signal })).events;
  const list = table({
    label: "Audit events",
    columns: [
      {
        title: "Action",
        width: "minmax(8rem, 12.5rem)",
        narrow: "minmax(0, 1.3fr)",
        render: (one) => dotted(one.action),
      },
      { title: "Status", width: "5.5rem", narrow: "4.75rem", render: (one) => state(one) },
      { title: "What", width: "minmax(0, 1fr)", minor: true, render: (one) => one.summary },
      { title: "Resource", width: "10.5rem", minor: true, render: (one) => resource(one) },
      { title: "By", width: "5rem", minor: true, render: (one) => actor(one) },
      { title: "When", width: "10.5rem", narrow: "5.5rem", render: (one) => moment(one.created_at) },
    ],
    act: detail,
    empty: narrowed ? "No event fits. Choose other filters." : "Nothing was done in this account yet.",
    async next(rows) {
      const last = rows.at(-1);
      if (!last) {
        const first = await page({ limit: PAGE });
        return { rows: first, done: first.length < PAGE };
      }
      // Where a clock was set back, events can be of one moment: those of the last one come again, and are left out.
      const known = new Set(rows.filter((one) => one.created_at === last.created_at).map((one) => one.id));
      const found = await page({ limit: PAGE, before: justAfter(last.created_at) });
      const fresh = found.filter((one) => !known.has(one.id));
      return { rows: fresh, done: found.length < PAGE || !fresh.length };
    },
  });

  list.node.classList.add("tight");
  async function follow() {
    const newest = await page({ limit: 100 });
    const first = list.rows()[0];
    const at = first ? newest.findIndex((one) => one.id === first.id) : -1;
    const goesOn = at >= 0 && newest.slice(at).every((one, offset) => list.rows()[offset]?.id === one.id);
    if (!goesOn) await list.refresh();
    else if (at > 0) list.prepend(newest.slice(0, at));
  }
  return { table: list, follow };
}

/** The moment one microsecond later, in the form of the API. */
function justAfter(timestamp) {
  const micros = Number(timestamp.slice(20, 26)) + 1;
  if (micros < 1_000_000) return `${timestamp.slice(0, 20)}${String(micros).padStart(6, "0")}Z`;
  return new Date(Date.parse(`${timestamp.slice(0, 19)}Z`) + 1000).toISOString().replace(/\.\d+Z$/, ".000000Z");
}

function detail(event) {
  const there = placeOf(event);
  const id = event.resource_id && h("code", null, event.resource_id);
  const metadata = event.metadata && Object.keys(event.metadata).length ? event.metadata : null;
  open({
    title: event.action,
    wide: true,
    content: (close) =>
      h(
        "div",
        { class: "body stack" },
        h("p", { class: event.status === "failure" ? "said bad" : "said" }, event.summary),
        facts([
          ["Status", state(event)],
          ["When", moment(event.created_at)],
          [
            "By",
            [
              event.actor_type.replaceAll("_", " "),
              event.actor_id === event.actor_type ? "" : [" ", h("code", null, event.actor_id)],
            ],
          ],
          ["Resource type", event.resource_type],
          ["Resource", id && there ? h("a", { href: there, onclick: () => close() }, id) : id],
          ["Event", h("code", null, event.id)],
        ]),
        h(
          "div",
          null,
          h("h3", null, "What the request named"),
          metadata ? copyable(pretty(metadata)) : h("p", { class: "soft" }, "Nothing."),
        ),
      ),
  });
}

const state = (event) => badge(event.status, event.status === "failure" ? "bad" : "good");

function resource(event) {
  const there = placeOf(event);
  const text = event.resource_id ? `${event.resource_type} ${short(event.resource_id)}` : event.resource_type;
  return there && event.resource_id ? h("a", { href: there }, text) : text;
}

function actor(event) {
  if (event.actor_type === "system") return "emulator";
  return h("span", { title: `${event.actor_type.replaceAll("_", " ")} ${event.actor_id}` }, short(event.actor_id));
}
