// Service accounts of an organization, identities without a person behind them, and the keys of one.

import { call } from "../../api.js";
import { ask, attempt, confirm } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf } from "../../form.js";
import { facts, moment } from "../../parts.js";
import { to } from "../../routes.js";
import { table } from "../../table.js";
import { following } from "../following.js";
import { keyTable, newKey } from "./scopes.js";

const TAGS = ["service-accounts", "accounts"];
const here = (id) => to("/keys", {}, { tab: "service", id });

export async function show({ query, signal }) {
  const { account } = await call("get-current-account", { signal });
  if (account.personal) return { node: personal(), action: null };
  if (!["owner", "admin"].includes(account.role)) return { node: notAllowed(account), action: null };
  if (query.id) return { node: await one(query.id, signal), action: null };
  const node = await following({ tags: TAGS, load: () => all(signal), draw: drawAll, signal });
  return { node, action: h("button", { type: "button", class: "primary", onclick: create }, "New service account") };
}

const all = async (signal) => (await call("list-current-service-accounts", { signal })).service_accounts;

function personal() {
  return h(
    "div",
    { class: "card refused" },
    h("p", null, "A personal account has no service accounts: they belong to organizations."),
    h(
      "p",
      { class: "soft" },
      "Create an organization, or choose one in the header: ",
      h("a", { href: to("/members") }, "Members"),
      ".",
    ),
  );
}

function notAllowed(account) {
  return h(
    "div",
    { class: "card refused" },
    h("p", null, `Your role in ${account.name} is ${account.role}: its owners and admins manage service accounts.`),
    h("p", { class: "soft" }, "See who they are: ", h("a", { href: to("/members") }, "Members"), "."),
  );
}

function drawAll(accounts) {
  const list = table({
    label: "Service accounts",
    columns: [
      { title: "Name", width: "minmax(0, 1fr)", render: (each) => each.name },
      { title: "Id", width: "minmax(0, 1fr)", minor: true, render: (each) => h("code", null, each.id) },
      { title: "Created", width: "10.5rem", minor: true, render: (each) => moment(each.created_at) },
      { title: "Action", width: "5.5rem", narrow: "4.75rem", render: (each) => button(each) },
    ],
    link: (each) => here(each.id),
    empty: "No service accounts yet. “New service account” makes one, which then gets keys.",
  });
  list.set(accounts);
  return [
    h("p", { class: "soft" }, "Identities of this organization for programs. Each has keys of its own."),
    list.node,
  ];
}

function one(id, signal) {
  const load = async () => {
    const found = (await all(signal)).find((each) => each.id === id);
    const path = { said: id };
    return {
      account: found,
      keys: found ? (await call("list-current-service-account-keys", { path, signal })).keys : [],
    };
  };
  return following({ tags: TAGS, load, draw: ({ account, keys }) => drawOne(account, keys), signal });
}

function drawOne(account, keys) {
  const back = h(
    "p",
    { class: "trail" },
    h("a", { href: to("/keys", {}, { tab: "service" }) }, "All service accounts"),
  );
  if (!account)
    return [
      back,
      h(
        "div",
        { class: "card refused" },
        h("p", null, "There is no such service account in this organization; it may have been deleted."),
      ),
    ];
  const path = { said: account.id };
  const add = () =>
    newKey({
      operation: "create-current-service-account-key",
      title: `New key of ${account.name}`,
      submit: (body) => call("create-current-service-account-key", { path, body }),
    });
  const revoke = async (key) => {
    const text = `Whatever uses ${key.name ?? key.key_prefix} is refused from now on. It cannot be made valid again.`;
    if (!(await confirm({ title: "Revoke this key?", text, verb: "Revoke it" }))) return;
    await attempt(() => call("revoke-current-service-account-key", { path: { ...path, kid: key.id } }), "Revoked.");
  };
  return [
    back,
    h(
      "section",
      { class: "card" },
      h("div", { class: "bar-top" }, h("h2", null, account.name), button(account)),
      facts([
        ["Id", h("code", null, account.id)],
        ["Created", moment(account.created_at)],
        ["By user", h("code", null, account.created_by_user_id)],
      ]),
    ),
    h(
      "div",
      { class: "bar-top below" },
      h("h2", null, "Keys"),
      h("button", { type: "button", class: "primary", onclick: add }, "New key"),
    ),
    keyTable({
      label: `Keys of ${account.name}`,
      keys,
      empty: "No keys yet, so nothing can act as this service account.",
      revoke,
    }),
  ];
}

async function create() {
  const form = await formOf("create-current-service-account", {});
  const made = await ask({
    title: "New service account",
    form,
    submit: (body) => call("create-current-service-account", { body }),
  });
  if (made) location.hash = here(made.service_account.id);
}

function button(account) {
  const remove = async () => {
    const text = `${account.name} is gone, and all of its keys are refused from now on.`;
    if (!(await confirm({ title: "Delete this service account?", text, verb: "Delete it" }))) return;
    await attempt(() => call("delete-current-service-account", { path: { said: account.id } }), "Deleted.");
  };
  return h(
    "button",
    { type: "button", class: "small danger", "aria-label": `Delete service account ${account.name}`, onclick: remove },
    "Delete",
  );
}
