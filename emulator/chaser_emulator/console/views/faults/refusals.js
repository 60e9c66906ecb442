// Refusals on demand: every one that the document declares, brought about by real state, sent or arranged to stay.

import { call } from "../../api.js";
import { ask, attempt, open, tellError } from "../../dialog.js";
import { fill, freshId, h } from "../../dom.js";
import { formOf } from "../../form.js";
import { pretty, short } from "../../format.js";
import * as live from "../../live.js";
import { copyable, facts } from "../../parts.js";
import { to } from "../../routes.js";
import { table } from "../../table.js";

const BY = {
  state: "any such request",
  resource: "one about what is arranged",
  request: "one with a mistake in it",
};

export async function show({ query, signal }) {
  let all = [];
  const list = table({
    label: "Refusals of the document",
    columns: [
      { title: "Operation", render: (one) => one.operation },
      { title: "Code", render: (one) => h("code", { title: one.code }, one.code) },
      { title: "Status", width: "4rem", minor: true, render: (one) => one.status },
      { title: "What is refused", width: "13rem", minor: true, render: why },
      { title: "", width: "9rem", narrow: "4.75rem", render: (one) => buttons(one) },
    ],
    identify: (one) => `${one.operation} ${one.code}`,
    empty: "None fits what is searched for.",
  });
  const id = freshId("search");
  const search = h("input", {
    id, type: "search", autocomplete: "off", spellcheck: "false", placeholder: "an operation, a code or a status",
    value: [query.operation, query.status, query.code].filter(Boolean).join(" "), oninput: filter,
  });
  const standing = h("section", { class: "card", hidden: true });

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    list.set(all.filter((one) => words.every((word) => `${one.operation} ${one.code} ${one.status}`.includes(word))));
  }

  async function look() {
    const found = await call("list-refusals", { signal });
    all = found.refusals;
    drawStanding(standing, found.arranged);
  }

  await look();
  filter();
  live.changed(["provoke", "seed", "state"], look, signal);
  const node = h(
    "div",
    null,
    h(
      "p",
      { class: "soft lead" },
      "Nothing is faked: the sessions of a full plan really live, an empty wallet really is. What is sent happens in " +
        "an account made for it; what is arranged meets your own client until it is undone.",
    ),
    standing,
    h("div", { class: "seek" }, h("div", { class: "sought" }, h("label", { for: id }, "Find"), search)),
    list.node,
  );
  return {
    node,
    actions: [h("button", { type: "button", class: "primary", onclick: () => provoke({}) }, "Provoke one…")],
  };
}

function why(one) {
  const text = one.possible ? BY[one.by] : one.reason;
  return h("span", { class: one.possible ? null : "soft", title: text }, one.possible ? text : `not possible: ${text}`);
}

function buttons(one) {
  if (!one.possible) return "";
  const name = `${one.operation}, ${one.code}`;
  return h(
    "div",
    { class: "row-actions" },
    h(
      "button",
      {
        type: "button",
        class: "small",
        "aria-label": `Send ${name}`,
        onclick: (event) => bring(event.currentTarget, one, true),
      },
      "Send",
    ),
    h(
      "button",
      {
        type: "button",
        class: "small",
        "aria-label": `Arrange ${name}`,
        onclick: (event) => bring(event.currentTarget, one, false),
      },
      "Arrange",
    ),
  );
}

/** Bring a refusal about; the button is busy until it is. */
async function bring(button, { operation, code }, send) {
  button.disabled = true;
  let done = null;
  try {
    done = await call("provoke", { body: { operation, code, send } });
  } catch (error) {
    tellError(error);
  }
  button.disabled = false;
  if (button.isConnected) button.focus({ preventScroll: true });
  if (done) tellOf(done, send);
}

/** Ask which, and for what of one's own, and bring it about. */
async function provoke(initial) {
  const form = await formOf("provoke", { initial, open: ["send", "path"] });
  let send = true;
  const submit = (body) => {
    send = body.send ?? true;
    return call("provoke", { body });
  };
  const done = await ask({ title: "Provoke a refusal", verb: "Bring it about", form, submit });
  if (done) tellOf(done, send);
}

function tellOf(done, sent) {
  const { request, response } = done;
  return open({
    title: sent ? "It was refused" : "It is arranged",
    wide: true,
    content: (close) =>
      h(
        "div",
        { class: "body finding" },
        facts([
          ["Operation", done.operation],
          ["Refusal", h("span", null, `${done.status} `, h("code", null, done.code))],
          ["Refused is", BY[done.by]],
          [
            "In the journal",
            done.request_id && h(
              "a",
              { href: to("/requests/{number}", { number: done.request_id }), onclick: () => close() },
              done.request_id,
            ),
          ],
        ]),
        h("h3", null, "What was arranged"),
        done.arranged.length ? h(
          "ul",
          null,
          done.arranged.map((one) => h("li", null, one)),
        ) : h("p", null, "Nothing had to be."),
        h("h3", null, "The request"),
        copyable(requestText(request)),
        response ? [h("h3", null, "The answer"), copyable(pretty(response.body))] : null,
        sent ? null : h("p", { class: "soft" }, "It stays so until it is undone, above the list."),
      ),
  });
}

function requestText(request) {
  const head = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
  const body = request.body === undefined ? [] : ["", pretty(request.body)];
  return [`${request.method} ${request.url}`, ...head, ...body].join("\n");
}

function drawStanding(node, arranged) {
  node.hidden = arranged.length === 0;
  const undo = (one) => attempt(() => call("undo-refusal", { path: { id: one.id } }), "Undone.");
  const undoAll = () => attempt(() => call("undo-refusals"), ({ undone }) => `Undone: ${undone.length}.`);
  fill(
    node,
    h(
      "div",
      { class: "bar-top" },
      h("h2", null, "Arranged now"),
      h("button", { type: "button", class: "small danger", onclick: undoAll }, "Undo all"),
    ),
    h(
      "ul",
      { class: "arranged" },
      arranged.map((one) =>
        h(
          "li",
          null,
          h(
            "div",
            null,
            h("strong", null, one.operation),
            ` is refused with ${one.status} `,
            h("code", null, one.code),
            h("div", { class: "soft" }, one.arranged.join("; ") || short(one.id)),
          ),
          h(
            "button",
            {
              type: "button",
              class: "small",
              "aria-label": `Undo ${one.operation}, ${one.code}`,
              onclick: () => undo(one),
            },
            "Undo",
          ),
        ),
      ),
    ),
  );
}
