// The terminals of a session. They stay open while other pages are looked at, as what runs in them has to.

import { onKeyChanged } from "../../api.js";
import { fill, h } from "../../dom.js";
import { style } from "../../parts.js";
import { paneOf } from "./terminal-pane.js";

const MODES = [
  ["human", "Shell"],
  ["agent", "Bare shell"],
];

/** The open terminals, by the id of their session: {node, empty(), close()}. */
const desks = new Map();

onKeyChanged(() => {
  for (const desk of desks.values()) desk.close();
  desks.clear();
});

export async function show({ session }) {
  await Promise.all([style("terminal"), style("ansi")]);
  for (const [id, desk] of desks) if (id !== session.id && desk.empty()) desks.delete(id);
  if (!desks.has(session.id)) {
    if (session.status !== "running") return notRunning(session);
    desks.set(session.id, deskOf(session));
    await desks.get(session.id).open("human");
  }
  return desks.get(session.id).node;
}

function notRunning(session) {
  return h("p", { class: "soft" }, `A terminal needs a session that runs, and this one is ${session.status}.`);
}

function deskOf(session) {
  const panes = [];
  let chosen = null;
  let made = 0;

  const list = h("div", { role: "tablist", "aria-label": "Terminals", class: "terminal-tabs", onkeydown: step });
  const mode = h(
    "select",
    { "aria-label": "Kind of the new terminal" },
    MODES.map(([value, title]) => h("option", { value }, title)),
  );
  const more = h("button", { type: "button", onclick: () => open(mode.value) }, "New terminal");
  const room = h("div");
  const none = h("p", { class: "empty", hidden: true }, "No terminal is open.");
  const bar = h("div", { class: "terminal-bar" }, list, h("div", { class: "actions" }, mode, more));
  const node = h("div", { class: "terminals" }, bar, room, none);

  async function open(kind) {
    made += 1;
    const pane = await paneOf({ session, mode: kind, number: made, onClose: () => drop(pane) });
    panes.push(pane);
    pane.tab.addEventListener("click", () => {
      choose(pane);
      pane.focus();
    });
    list.append(pane.tab);
    room.append(pane.node);
    choose(pane);
    pane.focus();
  }

  function choose(pane) {
    chosen = pane;
    for (const one of panes) {
      one.node.hidden = one !== pane;
      one.tab.setAttribute("aria-selected", String(one === pane));
      one.tab.tabIndex = one === pane ? 0 : -1;
    }
    none.hidden = panes.length > 0;
    list.hidden = panes.length === 0;
  }

  function drop(pane) {
    const at = panes.indexOf(pane);
    panes.splice(at, 1);
    pane.tab.remove();
    pane.node.remove();
    if (chosen === pane) choose(panes[Math.min(at, panes.length - 1)] ?? null);
    (chosen?.tab ?? more).focus();
  }

  /** The arrow keys go from one to the next, as in all lists of tabs. */
  function step(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || !chosen) return;
    event.preventDefault();
    choose(panes[(panes.indexOf(chosen) + by + panes.length) % panes.length]);
    chosen.tab.focus();
  }

  function close() {
    for (const pane of panes) pane.end();
    fill(room);
  }

  return { node, open, close, empty: () => panes.every((pane) => pane.over()) };
}
