// One background command: what it writes as it writes it, what it reads, and its end.

import { call } from "../../api.js";
import { attempt } from "../../dialog.js";
import { fill, freshId, h } from "../../dom.js";
import { bytes } from "../../format.js";
import { lasting } from "../../lasting.js";
import { output } from "../../output.js";
import { facts, moment } from "../../parts.js";
import { to } from "../../routes.js";
import { isoOf, stateOf, tookOf } from "./commands.js";
import { heard } from "./hearing.js";

const SIGNALS = ["INT", "TERM", "KILL", "HUP", "QUIT", "STOP", "CONT", "USR1", "USR2"];
const AT_MOST = 2 ** 16;
const AWAY = "The emulator does not answer; the output goes on when it does.";

/** A command by its id. */
export async function showCommand({ session, id, signal }) {
  const list = to("/sessions/{id}", { id: session.id }, { tab: "commands" });
  const back = h("p", null, h("a", { href: list }, "All commands"));
  const path = { id: session.id, cid: id };
  const first = await find(session, id, signal);
  if (!first) {
    return h("div", null, back, h("p", { class: "card empty" }, "There is no such command in this session."));
  }
  const head = h("div", { class: "command-head" });
  const state = h("p", { class: "soft", role: "status" });
  const written = output({ label: "Output", name: `${id}.txt` });
  const controls = h("div", { class: "controls" }, signalForm(path), inputForm(path));

  function draw(now) {
    const runs = now.finished_at_epoch === undefined;
    controls.hidden = !runs;
    fill(
      head,
      h("h2", null, h("code", null, now.command)),
      facts([
        ["Status", stateOf(now)],
        ["Process", now.pid],
        ["Folder", h("code", null, now.cwd)],
        ["User", now.user],
        ["Started", moment(isoOf(now.started_at_epoch))],
        ["Ended", moment(isoOf(now.finished_at_epoch))],
        ["Took", tookOf(now)],
        ["Left out", now.output_truncated ? `It wrote more than the ${bytes(now.output_bytes)} that are kept.` : null],
      ]),
    );
  }

  async function again() {
    const now = await find(session, id, signal).catch(() => null);
    if (now) draw(now);
  }

  async function follow() {
    let offset = 0;
    try {
      await lasting("stream-session-command", {
        path,
        query: () => ({ from: offset, max_bytes: AT_MOST }),
        signal,
        onState: (now) => fill(state, now === "away" ? AWAY : ""),
        onEvent: ({ event, data, id: seen }) => {
          const told = JSON.parse(data);
          if (event === "exit") return true;
          written.add(bytesOf(told));
          offset = Number(seen);
          return false;
        },
      });
      written.end();
      await again();
    } catch (error) {
      fill(state, h("span", { class: "problem" }, `The output cannot be read: ${error.message}`));
    }
  }

  draw(first);
  heard(session, again, signal);
  follow();
  return h("div", { class: "command" }, back, h("section", { class: "card" }, head, controls), state, written.node);
}

async function find(session, id, signal) {
  // The list has no output, which comes by itself.
  const { commands } = await call("list-session-commands", { path: { id: session.id }, signal });
  return commands.find((one) => one.command_id === id);
}

function bytesOf({ encoding, data }) {
  if (encoding === "base64") return Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  return new TextEncoder().encode(data);
}

function signalForm(path) {
  const id = freshId("signal");
  const select = h("select", { id }, SIGNALS.map((one) => h("option", { value: one, selected: one === "TERM" }, one)));
  const send = (event) => {
    event.preventDefault();
    return attempt(
      () => call("kill-session-command", { path, body: { signal: select.value } }),
      (told) => `${told.signal} was sent.`,
    );
  };
  return h(
    "form",
    { class: "inline", onsubmit: send },
    h("label", { for: id }, "Signal"),
    select,
    h("button", null, "Send the signal"),
  );
}

function inputForm(path) {
  const id = freshId("input");
  const input = h("input", { id, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  const write = (body) => attempt(() => call("write-session-command-stdin", { path, body }));
  const send = async (event) => {
    event.preventDefault();
    if (await write({ input: `${input.value}\n` })) input.value = "";
    input.focus();
  };
  const end = () => write({ input: "", eof: true });
  return h(
    "form",
    { class: "inline", onsubmit: send },
    h("label", { for: id }, "Input"),
    input,
    h("button", null, "Send the line"),
    h("button", { type: "button", onclick: end }, "End the input"),
  );
}
