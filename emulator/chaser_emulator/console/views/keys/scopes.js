// API keys wherever they are: the form of a new one, its secret, which is shown once, and how they are listed.

import { ask, open } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf } from "../../form.js";
import { badge, copyable, facts, moment } from "../../parts.js";
import { table } from "../../table.js";

/** Ask for a name and for what a key may do; `submit(body)` makes it, and its secret is shown. */
export async function newKey({ operation, title, submit }) {
  const form = await formOf(operation, {
    open: ["name", "scopes"],
    hints: { scopes: "Which rights the key has, and no others." },
  });
  const made = await ask({ title, verb: "Create the key", form: withAccess(form), submit });
  if (made) await showSecret(made);
  return made;
}

/** The same form with the choice between full access and single scopes, which the API tells apart by an empty list. */
function withAccess(form) {
  const scopes = form.field("scopes");
  const name = "access";
  const full = h("input", { type: "radio", name, value: "full", checked: true, onchange: draw });
  const limited = h("input", { type: "radio", name, value: "limited", onchange: draw });
  const choice = h(
    "fieldset",
    { class: "field access" },
    h("legend", null, "Access"),
    h("label", null, full, " Full access: all that you may do yourself"),
    h("label", null, limited, " Only these scopes"),
  );
  scopes.node.before(choice);
  draw();

  function draw() {
    scopes.node.hidden = full.checked;
  }

  function read() {
    const body = form.read();
    if (!body) return body;
    if (full.checked) {
      delete body.scopes;
      return body;
    }
    if (body.scopes?.length) return body;
    scopes.complain("Choose at least one scope, or full access.");
    scopes.input.focus();
    return undefined;
  }
  return { ...form, read };
}

/** Show a secret, this once. */
export function showSecret(made) {
  return open({
    title: "The new key",
    content: (close) =>
      h(
        "div",
        { class: "body stack" },
        h("p", { class: "said warn" }, "Copy it now: it is shown this once, and nobody can read it again."),
        copyable(made.key, "Copy the key"),
        h(
          "p",
          { class: "soft" },
          `It is listed as ${made.key_prefix}…, `,
          made.full_access ? "with full access." : `with ${made.scopes.join(", ")}.`,
        ),
        h(
          "div",
          { class: "actions" },
          h("button", { type: "button", class: "primary", onclick: () => close() }, "I have it"),
        ),
      ),
  });
}

/** A table of keys; `revoke(key)` is what the button of a valid one does. */
export function keyTable({ label, keys, empty, revoke }) {
  const list = table({
    label,
    columns: [
      { title: "Name", width: "minmax(0, 1.2fr)", render: (one) => one.name ?? "no name" },
      { title: "Key", width: "8.5rem", narrow: "6.5rem", render: (one) => h("code", null, `${one.key_prefix}…`) },
      { title: "May do", width: "minmax(0, 1.4fr)", minor: true, render: (one) => scopesOf(one) },
      { title: "Created", width: "10.5rem", minor: true, render: (one) => moment(one.created_at) },
      { title: "Last used", width: "10.5rem", minor: true, render: (one) => moment(one.last_used_at) || "never" },
      { title: "State", width: "6rem", narrow: "5.5rem", render: (one) => button(one) },
    ],
    act: detail,
    empty,
  });
  const button = (one) => {
    if (one.revoked) return h("span", { title: one.revoked }, badge("revoked"));
    const said = `Revoke key ${one.name ?? one.key_prefix}`;
    return h(
      "button",
      { type: "button", class: "small danger", "aria-label": said, onclick: () => revoke(one) },
      "Revoke",
    );
  };
  list.set(keys);
  return list.node;
}

function detail(one) {
  open({
    title: one.name ?? "A key without a name",
    content: () =>
      h(
        "div",
        { class: "body" },
        facts([
          ["Id", h("code", null, one.id)],
          ["Begins with", h("code", null, one.key_prefix)],
          ["May do", one.full_access ? "everything" : one.scopes.join(", ")],
          ["Created", moment(one.created_at)],
          ["Last used", moment(one.last_used_at) || "never"],
          ["Revoked", moment(one.revoked)],
        ]),
      ),
  });
}

function scopesOf(one) {
  const text = one.full_access ? "everything" : one.scopes.join(", ");
  return h("span", { title: text }, text);
}
