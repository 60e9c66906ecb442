// The stubs of a world without real commands: what they answer, and the commands that found none.

import { call } from "../../api.js";
import { ask, attempt, confirm, open } from "../../dialog.js";
import { fill, h } from "../../dom.js";
import { formOf } from "../../form.js";
import { short } from "../../format.js";
import { gently } from "../../gently.js";
import { addFromList } from "../../lists.js";
import * as live from "../../live.js";
import { copyable } from "../../parts.js";
import { to } from "../../routes.js";
import { table } from "../../table.js";

const WAIT = 400;
const FIRST = ["command", "pattern", "output", "exit_code", "times"];

export async function show({ signal }) {
  const list = table({
    label: "Stubs",
    columns: [
      { title: "Command", render: (one) => whichOf(one) },
      { title: "Answers", render: (one) => h("span", { title: answerOf(one) }, answerOf(one)) },
      { title: "Only", width: "9rem", minor: true, render: (one) => onlyOf(one) },
      { title: "Answered", width: "6rem", minor: true, numeric: true, render: (one) => one.answered },
      { title: "", width: "6rem", narrow: "5.25rem", render: removeButton },
    ],
    act: showStub,
    empty: "No stubs. echo, true, false, sleep and exit do what a shell would; any other command is not found (127).",
  });
  list.node.classList.add("fits");
  const unknown = h("section", { class: "card", hidden: true, "aria-labelledby": "unknown-title" });

  async function look() {
    const found = await call("list-stubs", { signal });
    list.set(found.stubs);
    drawUnknown(unknown, found.unknown);
  }

  const soon = gently(look, signal, WAIT);
  await look();
  live.changed(["stubs", "seed", "state", "exec", "jobs"], look, signal);
  live.on("event", soon, signal);
  const actions = [
    h("button", { type: "button", class: "primary", onclick: () => newStub() }, "New stub"),
    h("button", { type: "button", onclick: load }, "Load a list…"),
    h("button", { type: "button", class: "danger", onclick: clear }, "Remove all"),
  ];
  const lead = "No command really runs here: each gets the answer of the first stub that fits it, from the top.";
  return { actions, node: h("div", { class: "steered" }, h("p", { class: "soft lead" }, lead), unknown, list.node) };
}

/** Ask for a stub, begun with one, and add it. */
async function newStub(initial = {}) {
  const form = await formOf("add-stub", { open: FIRST, initial });
  await ask({ title: "New stub", verb: "Add it", form, submit: (body) => call("add-stub", { body }) });
}

function whichOf(one) {
  return h(
    "code",
    { title: one.command ?? one.pattern },
    one.command ?? (one.pattern ? `/${one.pattern}/` : one.function),
  );
}

function answerOf(one) {
  const words = [];
  const pieces = typeof one.output === "string" ? [{ text: one.output }] : (one.output ?? []);
  const text = pieces.map((piece) => piece.text ?? "…").join("");
  if (text) words.push(`“${text.trimEnd()}”`);
  if (one.signal) words.push(one.signal);
  else if (one.exit_code) words.push(`exit code ${one.exit_code}`);
  if (one.runs) words.push(one.runs === "forever" ? "runs until it is killed" : "runs until its input ends");
  if (one.files) words.push(`writes ${Object.keys(one.files).join(", ")}`);
  if (one.ports) words.push(`answers on ${one.ports.map((port) => port.port).join(", ")}`);
  return words.join(", ") || "nothing, with success";
}

function onlyOf(one) {
  const words = [];
  if (one.times !== undefined) words.push(`${one.times} times`);
  if (one.cwd) words.push(`in ${one.cwd}`);
  if (one.session_id) words.push("one session");
  if (one.workspace_id) words.push("one workspace");
  if (one.stdin !== undefined || one.stdin_pattern) words.push("some input");
  return words.join(", ");
}

function removeButton(one) {
  const remove = () => attempt(() => call("remove-stub", { path: { id: one.id } }), "Removed.");
  const name = one.command ?? one.pattern ?? one.id;
  return h(
    "button",
    { type: "button", class: "small danger", "aria-label": `Remove ${name}`, onclick: remove },
    "Remove",
  );
}

function showStub({ id, answered, ...stub }) {
  const again = (close) => {
    close();
    newStub(stub);
  };
  return open({
    title: "Stub",
    wide: true,
    content: (close) =>
      h(
        "div",
        { class: "body" },
        h("p", null, answered === 1 ? "It has answered one command." : `It has answered ${answered} commands.`),
        copyable(JSON.stringify(stub, null, 2)),
        h(
          "div",
          { class: "actions spaced" },
          h("button", { type: "button", onclick: () => again(close) }, "Add one like it"),
        ),
      ),
  });
}

function drawUnknown(node, unknown) {
  node.hidden = unknown.length === 0;
  fill(
    node,
    h("h2", { id: "unknown-title" }, "Commands that nothing answered"),
    h("p", { class: "soft" }, "They were not found (127). Give each a stub, and run it again."),
    h(
      "ul",
      { class: "arranged" },
      unknown.map((one) =>
        h(
          "li",
          null,
          h(
            "div",
            null,
            h("code", null, one.command),
            h(
              "div",
              { class: "soft" },
              "in ",
              h("a", { href: to("/sessions/{id}", { id: one.session_id }) }, `session ${short(one.session_id)}`),
              one.near ? `; ${one.near}` : "",
            ),
          ),
          h(
            "button",
            { type: "button", class: "small", "aria-label": `Answer ${one.command}`, onclick: () => newStub(one.stub) },
            "Answer it",
          ),
        ),
      ),
    ),
  );
}

async function load() {
  await addFromList({
    title: "Load stubs",
    text: "They go before all that are there, in their own order: all of them, or none.",
    one: "stub",
    example: '[{"command": "npm test", "output": "3 passed\\n"}]',
    add: (stubs) => call("load-stubs", { body: { stubs } }),
  });
}

async function clear() {
  const text = "Commands that run go on; what nothing answered is forgotten as well.";
  if (!(await confirm({ title: "Remove all stubs?", text, verb: "Remove them" }))) return;
  await attempt(() => call("clear-stubs"), ({ removed }) => `Removed ${removed}.`);
}
