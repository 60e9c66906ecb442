// Who belongs where: the accounts of the caller, and the members of the one that is active.

import * as api from "../api.js";
import { ask, attempt, confirm } from "../dialog.js";
import { h } from "../dom.js";
import { formOf } from "../form.js";
import * as live from "../live.js";
import { badge, moment, style, top } from "../parts.js";
import { table } from "../table.js";
import { following, refused } from "./following.js";

const { call } = api;
const MANAGERS = ["owner", "admin"];

export async function show({ signal }) {
  await style("account");
  const create = h("button", { type: "button", class: "primary", onclick: createOrganization }, "New organization");
  const node = await following({ tags: ["accounts"], load: () => load(signal), draw, signal });
  return h("div", null, top("Members", create), node);
}

async function load(signal) {
  const [{ accounts }, { account }] = await Promise.all([
    call("list-accounts", { signal }),
    call("get-current-account", { signal }),
  ]);
  const me = await call("get-me", { signal }).then(
    ({ user }) => user.id,
    () => null,
  );
  try {
    return { accounts, account, me, members: (await call("list-current-members", { signal })).members };
  } catch (error) {
    if (!(error instanceof api.Refusal) || error.status !== 403) throw error;
    return { accounts, account, me, members: null, refusal: { message: error.message, code: error.code } };
  }
}

function draw(now) {
  return [accountsOf(now), ...membersOf(now)];
}

function accountsOf({ accounts, account }) {
  const list = table({
    label: "Your accounts",
    columns: [
      { title: "Account", width: "minmax(0, 2fr)", render: (one) => one.name },
      { title: "Kind", width: "8rem", minor: true, render: (one) => one.kind },
      { title: "Your role", width: "6rem", narrow: "4.5rem", render: (one) => one.role },
      { title: "Created", width: "10.5rem", minor: true, render: (one) => moment(one.created_at) },
      {
        title: "",
        width: "8rem",
        narrow: "6.5rem",
        render: (one) => (one.id === account.id ? badge("active") : actIn(one)),
      },
    ],
  });
  list.set(accounts);
  return h("section", { "aria-label": "Your accounts" }, h("h2", null, "Your accounts"), list.node);
}

function actIn(one) {
  const label = `Act in ${one.name}`;
  return h(
    "button",
    { type: "button", class: "small", "aria-label": label, onclick: () => actFrom(one.id) },
    "Act in it",
  );
}

/** From now on this tab is about another account (null: the usual one), which the header shows as well. */
function actFrom(id) {
  api.account(id);
  live.tell("accounts");
}

function membersOf({ account, members, me, refusal }) {
  const heading = (action) => h("div", { class: "bar-top below" }, h("h2", null, `Members of ${account.name}`), action);
  if (refusal) return [heading(null), refused(refusal)];
  const may = !account.personal && MANAGERS.includes(account.role);
  const add = may ? h("button", { type: "button", onclick: addMember }, "Add a member") : null;
  const own = members.find((one) => one.user_id === me);
  const list = table({
    label: `Members of ${account.name}`,
    columns: [
      { title: "Address", width: "minmax(0, 2fr)", render: (one) => (one === own ? [one.email, " (you)"] : one.email) },
      { title: "Name", width: "minmax(0, 1fr)", minor: true, render: (one) => one.name ?? "" },
      { title: "Role", width: "6rem", narrow: "4.5rem", render: (one) => one.role },
      { title: "Since", width: "10.5rem", minor: true, render: (one) => moment(one.joined_at) },
      { title: "Actions", width: "12rem", narrow: "5.5rem", render: (one) => actions(one, { account, own, may }) },
    ],
    identify: (one) => one.user_id,
  });
  list.set(members);
  return [heading(add), h("p", { class: "soft" }, account.personal ? ALONE : RIGHTS[account.role]), list.node];
}

/** What a role allows, in words. */
const RIGHTS = {
  owner: "You are an owner: you may add and remove anybody and change every role, while one owner stays.",
  admin: "You are an admin: you may add, change and remove members and admins; owners are for owners to change.",
  member: "You are a member: owners and admins add and remove members. You may leave.",
};
const ALONE =
  "A personal account has one member, its owner, and takes no others. Create an organization to work with others.";

function actions(one, { account, own, may }) {
  if (account.personal) return "";
  const touches = may && (one.role !== "owner" || account.role === "owner");
  const leaves = one === own;
  const buttons = [
    touches &&
      h(
        "button",
        {
          type: "button",
          class: "small",
          "aria-label": `Change the role of ${one.email}`,
          onclick: () => changeRole(one),
        },
        "Change role",
      ),
    (touches || leaves) &&
      h(
        "button",
        {
          type: "button",
          class: "small danger",
          "aria-label": leaves ? "Leave" : `Remove ${one.email}`,
          onclick: () => remove(one, account, leaves),
        },
        leaves ? "Leave" : "Remove",
      ),
  ].filter(Boolean);
  return buttons.length ? h("div", { class: "actions" }, buttons) : "";
}

async function createOrganization() {
  const form = await formOf("create-organization", {});
  const made = await ask({
    title: "New organization",
    text: "You become its owner. An organization can be neither renamed nor deleted.",
    form,
    submit: (body) => call("create-organization", { body }),
  });
  if (made) live.tell("accounts");
}

async function addMember() {
  const form = await formOf("add-current-member", { open: ["email", "role"] });
  const text = "An address that nobody has registered gets a user, who can register with it later.";
  await ask({ title: "Add a member", text, verb: "Add", form, submit: (body) => call("add-current-member", { body }) });
}

async function changeRole(one) {
  const form = await formOf("update-current-member", { initial: { role: one.role } });
  const path = { uid: one.user_id };
  const submit = (body) => call("update-current-member", { path, body });
  await ask({ title: `The role of ${one.email}`, verb: "Change it", form, submit });
}

async function remove(one, account, leaves) {
  const text = leaves
    ? `You no longer belong to ${account.name}, until somebody adds you again.`
    : `${one.email} no longer belongs to ${account.name}.`;
  const title = leaves ? "Leave this organization?" : "Remove this member?";
  if (!(await confirm({ title, text, verb: leaves ? "Leave" : "Remove" }))) return;
  const went = await attempt(
    () => call("remove-current-member", { path: { uid: one.user_id } }),
    leaves ? "You have left." : "Removed.",
  );
  if (went && leaves) actFrom(null);
}
