// The billing of the account: plan, wallet, limits, storage, usage, and payments with what became of them.

import { call } from "../api.js";
import { ask } from "../dialog.js";
import { h } from "../dom.js";
import { formOfSchema } from "../form.js";
import { bytes, seconds } from "../format.js";
import { badge, facts, style, top } from "../parts.js";
import { history } from "./billing/history.js";
import { subscribe, topUp } from "./billing/paying.js";
import { dollars, micros, planOf, valuesOf } from "./billing/words.js";
import { following } from "./following.js";

/** An event about billing is one of the account. */
const TAGS = ["billing", "billings", "checkout", "accounts"];
const MANAGERS = ["owner", "admin"];

export async function show({ signal }) {
  await style("account");
  const node = await following({
    tags: [...TAGS, "sessions", "workspaces", "snapshots"],
    load: async () => {
      const [summary, { account }] = await Promise.all([
        call("get-billing-summary", { signal }),
        call("get-current-account", { signal }),
      ]);
      return { summary, account };
    },
    say: ({ summary }) =>
      `The plan is ${planOf(summary)}, the wallet holds ${micros(summary.wallet_balance_micros_usd)}.`,
    draw,
    signal,
  });
  return h("div", null, top("Billing"), node, await history({ signal }));
}

function draw({ summary, account }) {
  const may = MANAGERS.includes(account.role);
  return [
    may
      ? null
      : h(
          "p",
          { class: "said" },
          `You are ${account.role} of ${account.name}: its owners and admins change the plan and pay. You may look.`,
        ),
    h("div", { class: "cards" }, plan(summary, may), wallet(summary, may), usage(summary), storage(summary)),
  ];
}

function plan(summary, may) {
  return h(
    "section",
    { class: "card", "aria-label": "Plan" },
    h("h2", null, "Plan"),
    h("p", { class: "figure" }, planOf(summary)),
    h("p", { class: "soft" }, MODELS[summary.pricing_model]),
    facts([
      ...limitsOf(summary),
      ["An hour of a session", dollars(summary.usage_price_per_hour_usd)],
      ["Customer", summary.stripe_customer_id && h("code", null, summary.stripe_customer_id)],
      ["Subscription", summary.stripe_subscription_id && h("code", null, summary.stripe_subscription_id)],
    ]),
    may
      ? h(
          "div",
          { class: "actions" },
          h("button", { type: "button", onclick: () => changePlan(summary) }, "Change plan"),
          h("button", { type: "button", onclick: subscribe }, "Subscribe"),
        )
      : null,
  );
}

const MODELS = {
  free: "It costs nothing, and has no workspaces.",
  usage_based: "Paid by the second, from the wallet.",
  subscription: "Paid for a while ahead, with the limits of the plan.",
};

function wallet(summary, may) {
  const balance = summary.wallet_balance_micros_usd;
  const dry = summary.pricing_model === "usage_based" && balance <= 0;
  return h(
    "section",
    { class: "card", "aria-label": "Wallet" },
    h("h2", null, "Wallet"),
    h("p", { class: "figure" }, micros(balance)),
    dry
      ? h("p", null, badge("empty", "bad"), " Sessions of this account have ended; top it up to start others.")
      : h("p", { class: "soft" }, "What a usage-based plan is paid from."),
    may
      ? h("div", { class: "actions" }, h("button", { type: "button", class: "primary", onclick: topUp }, "Top up"))
      : null,
  );
}

function limitsOf({ limits: all }) {
  const word = (value, show = String) => (value === undefined ? "no limit" : show(value));
  return [
    ["Workspaces", all.allow_workspaces ? word(all.max_workspaces) : "none on this plan"],
    ["Live sessions at once", word(all.max_concurrency)],
    ["A session lasts at most", word(all.max_session_seconds, seconds)],
  ];
}

function usage(summary) {
  const line = ({ seconds: used, amount_micros_usd: cost }) => `${used ? seconds(used) : "none"} · ${micros(cost)}`;
  return h(
    "section",
    { class: "card", "aria-label": "Usage" },
    h("h2", null, "Usage"),
    facts([
      ["Last 24 hours", line(summary.usage_last_24h)],
      ["Last 30 days", line(summary.usage_last_30d)],
    ]),
    h("p", { class: "hint" }, "The time of all sessions together, and its price."),
  );
}

function storage(summary) {
  const used = summary.workspace_storage_used_bytes;
  const most = summary.workspace_storage_cap_bytes;
  const part = most ? Math.min(1, used / most) : used ? 1 : 0;
  const words = `${bytes(used)} of ${bytes(most)}`;
  const unknown = summary.workspace_storage_unresolved_workspaces;
  return h(
    "section",
    { class: "card", "aria-label": "Storage" },
    h("h2", null, "Storage"),
    h("p", { class: "figure" }, bytes(used)),
    h(
      "div",
      {
        class: part > 0.9 ? "meter bad" : "meter",
        role: "meter",
        "aria-label": "Storage",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-valuenow": Math.round(part * 100),
        "aria-valuetext": words,
      },
      h("span", { style: { width: `${part * 100}%` } }),
    ),
    h("p", { class: "soft" }, words),
    facts([
      ["Workspaces measured", String(summary.workspace_storage_measured_workspaces)],
      ["Not measured yet", unknown ? String(unknown) : null],
    ]),
  );
}

const PLANS =
  "“free” costs nothing and has no workspaces, “usage_based” is paid by the second from the wallet, the others are " +
  "subscriptions with limits of their own.";

/** Ask for another plan, which is in force at once. */
async function changePlan(summary) {
  const { body } = await call("get-operation", { path: { id: "update-billing-account" } });
  const { pricing_model: models, plan_code: plans } = body["application/json"].properties;
  const codes = valuesOf(plans);
  const values = [...valuesOf(models).filter((one) => one !== "subscription"), ...codes];
  const form = formOfSchema(
    {
      properties: { plan: { type: "string", enum: values, description: PLANS } },
      required: ["plan"],
    },
    { initial: { plan: summary.plan_code ?? summary.pricing_model } },
  );
  await ask({
    title: "Change the plan",
    text: "It is in force at once, also where it means less than before. What is there already stays.",
    verb: "Change it",
    form,
    submit: ({ plan: one }) =>
      call("update-billing-account", {
        body: codes.includes(one) ? { pricing_model: "subscription", plan_code: one } : { pricing_model: one },
      }),
  });
}
