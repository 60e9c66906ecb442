// Changes of a configuration that somebody asks for, and that an owner or admin decides on.

import { call } from "../../api.js";
import { ask, attempt } from "../../dialog.js";
import { h } from "../../dom.js";
import { pretty, short } from "../../format.js";
import { badge, facts, moment } from "../../parts.js";
import { following } from "../following.js";
import { configForm } from "./form.js";

const DECIDERS = ["owner", "admin"];

export function show({ id, signal }) {
  return following({
    tags: ["assistants", "accounts"],
    load: async () => {
      const [{ changes }, { account }] = await Promise.all([
        call("list-assistant-changes", { path: { id }, signal }),
        call("get-current-account", { signal }),
      ]);
      return { changes, role: account.role };
    },
    say: ({ changes }) => `${changes.filter((one) => one.status === "pending").length} change requests wait.`,
    draw: ({ changes, role }) => draw(id, changes, role),
    signal,
  });
}

function draw(id, changes, role) {
  const decides = DECIDERS.includes(role);
  return [
    h(
      "div",
      { class: "bar-top" },
      h("h2", null, "Change requests"),
      h("button", { type: "button", class: "primary", onclick: () => propose(id) }, "Propose a change"),
    ),
    h(
      "p",
      { class: "soft" },
      decides
        ? "Nothing changes until an owner or admin, as you are, approves."
        : `Owners and admins decide; you are ${role}.`,
    ),
    changes.length
      ? h(
          "ol",
          { class: "steps" },
          changes.map((one) => h("li", null, changeOf(id, one, decides))),
        )
      : h("div", { class: "card" }, h("p", { class: "empty" }, "Nobody asked for a change yet.")),
  ];
}

function changeOf(id, one, decides) {
  const path = { id, rid: one.id };
  const decide = (verb, done) => attempt(() => call(`${verb}-assistant-config-change-request`, { path }), done);
  const pending = one.status === "pending";
  return h(
    "article",
    { class: "card", "aria-label": `Change request ${short(one.id)}` },
    h(
      "div",
      { class: "bar-top" },
      h(
        "h3",
        null,
        "Request ",
        h("code", null, short(one.id)),
        " ",
        badge(one.status, { approved: "good", denied: "bad" }[one.status]),
      ),
      pending && decides
        ? h(
            "div",
            { class: "actions" },
            h(
              "button",
              {
                type: "button",
                "aria-label": `Approve ${short(one.id)}`,
                onclick: () => decide("approve", "Approved."),
              },
              "Approve",
            ),
            h(
              "button",
              {
                type: "button",
                class: "danger",
                "aria-label": `Deny ${short(one.id)}`,
                onclick: () => decide("deny", "Denied."),
              },
              "Deny",
            ),
          )
        : null,
    ),
    one.reason ? h("p", null, one.reason) : null,
    h("pre", { tabindex: 0 }, pretty(one.patch)),
    h(
      "div",
      { class: "below" },
      facts([
        ["Asked for", [moment(one.created_at), " by user ", h("code", null, short(one.proposed_by))]],
        ["Decided", one.decided_at && [moment(one.decided_at), " by user ", h("code", null, short(one.decided_by))]],
      ]),
    ),
  );
}

async function propose(id) {
  const { config } = (await call("get-assistant", { path: { id } })).assistant;
  const form = await configForm({ config, reason: true });
  const submit = ({ patch, reason }) => {
    if (!Object.keys(patch).length) throw new Error("Nothing is different yet: change a setting first.");
    return call("create-assistant-config-change-request", {
      path: { id },
      body: reason ? { patch, reason } : { patch },
    });
  };
  await ask({
    title: "Propose a change",
    text: "Say how the configuration is to be; what is different is asked for.",
    verb: "Propose",
    form,
    submit,
  });
}
