// What was paid, or is still to be paid, and which plans the account was on.

import { address, call } from "../../api.js";
import { h } from "../../dom.js";
import { badge, moment } from "../../parts.js";
import { table } from "../../table.js";
import { following } from "../following.js";
import { micros } from "./words.js";

const MOST = 100;

export function history({ signal }) {
  return following({
    tags: ["billing", "billings", "checkout", "accounts"],
    load: async () => {
      const { account } = await call("get-current-account", { signal });
      const [{ checkouts }, { events }] = await Promise.all([
        call("list-checkouts", { query: { account_id: account.id }, signal }),
        call("list-audit-events", {
          query: { action: "billing.account.update", status: "success", limit: MOST },
          signal,
        }),
      ]);
      return { checkouts, changes: events };
    },
    draw: ({ checkouts, changes }) => [
      h("section", { "aria-label": "Payments", class: "below" }, h("h2", null, "Payments"), payments(checkouts)),
      h(
        "section",
        { "aria-label": "Changes of the plan", class: "below" },
        h("h2", null, "Changes of the plan"),
        changesOf(changes),
      ),
    ],
    signal,
  });
}

function payments(checkouts) {
  const list = table({
    label: "Payments",
    columns: [
      {
        title: "For",
        width: "minmax(0, 1.4fr)",
        render: (one) => (one.mode === "topup" ? "the wallet" : `a subscription of ${one.plan_code}`),
      },
      {
        title: "Amount",
        width: "8rem",
        narrow: "4.5rem",
        numeric: true,
        render: (one) => (one.amount_micros_usd === undefined ? "" : micros(one.amount_micros_usd)),
      },
      {
        title: "Status",
        width: "6rem",
        narrow: "4.75rem",
        render: (one) => badge(one.status, { open: "warn", paid: "good" }[one.status]),
      },
      { title: "Started", width: "10.5rem", minor: true, render: (one) => moment(one.created_at) },
      { title: "Ended", width: "10.5rem", minor: true, render: (one) => moment(one.completed_at) },
      { title: "Page", width: "6rem", narrow: "3.5rem", render: (one) => pageOf(one) },
    ],
    empty: "Nothing was paid yet. “Top up” puts money into the wallet.",
  });
  list.set(checkouts);
  return list.node;
}

function pageOf(one) {
  if (one.status !== "open") return "";
  const href = address("get-checkout", { path: { id: one.id } }).href;
  return h("a", { href, target: "_blank", rel: "noopener", "aria-label": "Pay, in a new tab" }, "Pay");
}

function changesOf(events) {
  const list = table({
    label: "Changes of the plan",
    columns: [
      { title: "What", width: "minmax(0, 2fr)", render: (one) => one.summary },
      { title: "When", width: "10.5rem", narrow: "5.5rem", render: (one) => moment(one.created_at) },
    ],
    empty: "The plan was not changed yet.",
  });
  list.set(events);
  return list.node;
}
