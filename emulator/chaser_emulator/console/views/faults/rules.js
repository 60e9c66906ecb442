// The rules of faults: what they do, how often they did, what is left of them; common ones by one click.

import { call } from "../../api.js";
import { attempt, confirm, open } from "../../dialog.js";
import { freshId, h } from "../../dom.js";
import { gently } from "../../gently.js";
import { addFromList } from "../../lists.js";
import * as live from "../../live.js";
import { copyable } from "../../parts.js";
import { to } from "../../routes.js";
import { table } from "../../table.js";
import { newFault } from "../faults.js";
import { about, doing, left } from "./effects.js";
import { choices } from "./operations.js";

const WAIT = 400;

/** Rules that people want again and again, by what their buttons say. */
const COMMON = [
  { title: "500 once", about: "The next call fails inside.", rule: { error: { code: "internal_error" }, times: 1 } },
  {
    title: "429 once",
    about: "Too many requests, with Retry-After 5.",
    rule: { error: { code: "rate_limited", retry_after: 5 }, times: 1 },
  },
  {
    title: "Lost answer",
    about: "The next change is made, and its answer never comes.",
    rule: { lost: { how: "reset" }, times: 1 },
  },
  {
    title: "Connection cut",
    about: "The next connection ends before anything happens.",
    rule: { reset: { how: "reset" }, times: 1 },
  },
  { title: "502 of a proxy", about: "Once, as HTML, which is no answer of the API.", rule: {
    answer: { status: 502, headers: { "Content-Type": "text/html" }, body: "<h1>502 Bad Gateway</h1>" }, times: 1,
  } },
  { title: "Slow", about: "Every call takes 2 seconds longer.", rule: { latency: 2 } },
];

export async function show({ signal }) {
  const list = table({
    label: "Faults",
    columns: [
      { title: "What it does", width: "1.4fr", render: (one) => h("span", { title: doing(one) }, doing(one)) },
      { title: "Name", width: "6rem", minor: true, render: (one) => one.id },
      { title: "To what", minor: true, render: (one) => h("span", { title: about(one) }, about(one)) },
      { title: "Acted", width: "5rem", narrow: "3.5rem", render: acted },
      { title: "Left", width: "7rem", minor: true, render: (one) => left(one) },
      { title: "", width: "6rem", narrow: "5.25rem", render: removeButton },
    ],
    act: showRule,
    empty: "No faults: everything goes as it should.",
  });
  list.node.classList.add("fits");

  async function look() {
    list.set((await call("list-faults", { signal })).faults);
  }

  const soon = gently(look, signal, WAIT);
  await look();
  live.changed(["faults", "seed", "state"], look, signal);
  // Any call may be one that a rule is about.
  live.on("exchange", soon, signal);

  const actions = [
    h("button", { type: "button", class: "primary", onclick: () => newFault() }, "New fault"),
    h("button", { type: "button", onclick: load }, "Load a list…"),
    h("button", { type: "button", class: "danger", onclick: clear }, "Remove all"),
  ];
  return { actions, node: h("div", null, common(), list.node) };
}

function acted(one) {
  const words = `${one.acted} of ${one.matched}`;
  const title = `It acted on ${one.acted} of the ${one.matched} calls that it was about`;
  if (one.acted === 0) return h("span", { title }, words);
  return h("a", { href: to("/requests", {}, { fault: one.id }), title: `${title}; they are in the journal` }, words);
}

function removeButton(one) {
  const remove = () => attempt(() => call("remove-fault", { path: { id: one.id } }), `Removed ${one.id}.`);
  return h(
    "button",
    { type: "button", class: "small danger", "aria-label": `Remove ${one.id}`, onclick: remove },
    "Remove",
  );
}

function common() {
  const id = freshId("of");
  const input = h("input", {
    id, list: `${id}-list`, autocomplete: "off", spellcheck: "false", placeholder: "every operation that can have it",
  });
  const names = h(
    "datalist",
    { id: `${id}-list` },
    choices().map((one) => h("option", { value: one.value }, one.title)),
  );
  const buttons = COMMON.map(({ title, about: words, rule }) => {
    const note = freshId("common");
    const add = async () => {
      const operations = input.value.split(",").map((one) => one.trim()).filter(Boolean);
      const body = operations.length ? { operations, ...rule } : rule;
      await attempt(() => call("add-fault", { body }), (made) => `Added ${made.id}: ${about(made)} ${doing(made)}.`);
    };
    return h(
      "li",
      null,
      h("button", { type: "button", "aria-describedby": note, onclick: add }, title),
      h("span", { class: "hint", id: note }, words),
    );
  });
  return h(
    "section",
    { class: "card common", "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, "Common ones, by a click"),
    h("div", { class: "field" }, h("label", { for: id }, "For which operation"), input, names),
    h("ul", null, buttons),
  );
}

async function load() {
  await addFromList({
    title: "Load faults",
    text: "Rules are added in their order behind those that are there: all of them, or none.",
    one: "fault",
    example: '[{"operations": ["create-session"], "error": "rate_limited", "calls": [2, 3]}]',
    add: (faults) => call("load-faults", { body: { faults } }),
  });
}

async function clear() {
  const text = "Calls that wait for the sake of one go on, and connections that hang are closed.";
  if (!(await confirm({ title: "Remove all faults?", text, verb: "Remove them" }))) return;
  await attempt(() => call("clear-faults"), ({ removed }) => `Removed ${removed}.`);
}

function showRule(rule) {
  const { matched, acted: many, spent, id, ...body } = rule;
  const again = async (close) => {
    close();
    await newFault(body);
  };
  return open({
    title: `Fault ${id}`,
    wide: true,
    content: (close) =>
      h(
        "div",
        { class: "body" },
        h(
          "p",
          null,
          `It ${doing(rule)}: ${about(rule)}. It acted on ${many} of ${matched} calls`,
          spent ? ", and never will again." : ".",
        ),
        copyable(JSON.stringify(body, null, 2)),
        h(
          "div",
          { class: "actions spaced" },
          h(
            "a",
            { class: "button", href: to("/requests", {}, { fault: id }), onclick: () => close() },
            "The requests it acted on",
          ),
          h("button", { type: "button", onclick: () => again(close) }, "Add one like it"),
        ),
      ),
  });
}
