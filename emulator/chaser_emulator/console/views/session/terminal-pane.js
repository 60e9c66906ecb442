// One terminal: what it shows, the line to its shell, and what is said of it below.

import { call } from "../../api.js";
import { confirm } from "../../dialog.js";
import { fill, freshId, h } from "../../dom.js";
import { tell } from "../../live.js";
import { lineOf } from "./terminal-line.js";

/** Whether the component that npm has was brought in with this emulator. */
const BROUGHT = document.documentElement.dataset.terminal === "full";

const TITLES = { human: "Shell", agent: "Bare shell" };
const HINTS = {
  human: "This is a plain terminal, for lines: the component of a full one was not brought in with this emulator.",
  agent: "A shell as programs have it: no echo, no prompt, no colours. What you send is marked with ›.",
};

const KEYS = [
  ["Ctrl+Shift+L", "leaves it"],
  ["Ctrl+Shift+C", "copies"],
];

/** What the end of a connection means, by its code. */
const ENDS = {
  1001: "The emulator was stopped.",
  1006: "The connection was lost.",
  1011: "Nobody can tell how it ended.",
  1012: "The emulator was stopped.",
};

/**
 * A terminal of a session. It is {tab, node, focus(), end(), over()}: a button that stands for it, what it shows, and
 * whether nothing runs in it. `onClose` is called when it is closed for good.
 */
export async function paneOf({ session, mode, number, onClose }) {
  const name = `${TITLES[mode]} ${number}`;
  const ids = { tab: freshId("terminal"), panel: freshId("terminal"), hint: freshId("terminal") };
  let line = null;
  let size = null;
  let began = false;

  const { screenOf, full } = await faceFor(mode);
  const screen = screenOf({
    name,
    hint: ids.hint,
    echo: mode === "agent",
    onInput: (data) => line?.send(data),
    onSize: (rows, cols) => {
      size = { rows, cols };
      fill(measure, `${cols} × ${rows}`);
      if (!began) begin();
      else line?.resize(rows, cols);
    },
    onLeave: () => (again.hidden ? close : again).focus(),
  });

  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  const tab = h("button", { type: "button", role: "tab", id: ids.tab, "aria-controls": ids.panel }, dot, name);
  const state = h("span", { role: "status" });
  const measure = h("span", { class: "soft", title: "Columns and rows" });
  const again = h("button", { type: "button", class: "small", hidden: true, onclick: restart }, "Start again");
  const close = h("button", { type: "button", class: "small", onclick: leave, "aria-label": `Close ${name}` }, "Close");
  const node = h(
    "div",
    { role: "tabpanel", id: ids.panel, "aria-labelledby": ids.tab, class: "terminal-pane" },
    full ? null : h("p", { class: "hint", id: ids.hint }, HINTS[mode]),
    screen.node,
    h(
      "div",
      { class: "terminal-foot" },
      state,
      measure,
      full ? h("span", { class: "hint", id: ids.hint }, KEYS.map(keyHint)) : null,
      h("span", { class: "actions" }, again, close),
    ),
  );

  function say(text, kind) {
    fill(state, text);
    dot.className = `dot ${kind}`;
  }

  function begin() {
    began = true;
    again.hidden = true;
    say("Connecting …", "");
    let ready = false;
    const mine = lineOf({
      id: session.id,
      mode,
      onReady: () => {
        ready = true;
        say("Connected", "live");
        // It holds the session now, of which no event tells.
        tell("sessions");
      },
      onOutput: screen.write,
      onEnd: async ({ exitCode, code, reason }) => {
        tell("sessions");
        if (line !== mine) return;
        line = null;
        const held = node.contains(document.activeElement);
        if (exitCode !== null) say(`Ended with exit code ${exitCode}.`, "");
        else if (ready) say(`${ENDS[code] ?? `The connection ended (${code}).`} ${reason}`, "away");
        else say(await why(session.id, mode), "away");
        again.hidden = false;
        if (held && !close.contains(document.activeElement)) again.focus();
      },
    });
    mine.resize(size.rows, size.cols);
    line = mine;
  }

  function restart() {
    screen.fresh();
    begin();
    screen.focus();
  }

  async function leave() {
    const text = "What runs in it is hung up.";
    if (line && !(await confirm({ title: `Close ${name}?`, text, verb: "Close it" }))) return;
    end();
    onClose();
  }

  function end() {
    const mine = line;
    line = null;
    mine?.close();
    screen.dispose();
  }

  return { tab, node, focus: screen.focus, end, over: () => line === null && began };
}

/** A bare shell echoes nothing: a line to write in is what it needs, also where there is a full terminal. */
function faceFor(mode) {
  const plain = () => import("./terminal-plain.js");
  // A browser may be too old for what others have written.
  return BROUGHT && mode === "human" ? import("./terminal-full.js").catch(plain) : plain();
}

function keyHint([key, does]) {
  return [h("kbd", null, key), ` ${does} `];
}

/** Why a terminal could not be opened: a browser is not told by its socket, a plain request is. */
async function why(id, mode) {
  try {
    const { status } = await call("get-session", { path: { id } });
    if (status !== "running") return `The session is ${status}.`;
    await call("open-session-pty", { path: { id }, query: { mode } });
  } catch (error) {
    if (error.status === 404) return "The session has ended.";
    if (error.status === 0) return "The emulator does not answer.";
    // A plain request for a terminal is no valid one; that is not why.
    if (error.status !== 400) return `It could not be opened: ${error.message}`;
  }
  return "It could not be opened.";
}
