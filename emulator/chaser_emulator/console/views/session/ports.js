// What listens in a session, as links that come and go while one looks.

import { fill, h } from "../../dom.js";
import { lasting } from "../../lasting.js";
import { copy, style } from "../../parts.js";
import { isScripted } from "./engine.js";

const SAID = ["No port is open.", "One port is open."];
const AWAY = "The emulator does not answer; the list goes on when it does.";

export async function show({ session, signal }) {
  await style("inside");
  const status = h("p", { class: "soft", role: "status" }, "Looking …");
  const list = h("ul", { class: "cards ports" });
  const hint = h("div", { class: "card empty", hidden: true });
  const cards = new Map();
  fill(hint, await hintOf(session, signal));

  function draw(ports) {
    const wanted = new Set(ports.map((one) => one.port));
    for (const [port, card] of cards) {
      if (wanted.has(port)) continue;
      card.remove();
      cards.delete(port);
    }
    for (const one of ports) if (!cards.has(one.port)) cards.set(one.port, cardOf(one));
    // What stays keeps its place, and with it the focus.
    ports.forEach((one, at) => {
      const card = cards.get(one.port);
      if (list.children[at] !== card) list.insertBefore(card, list.children[at] ?? null);
    });
    hint.hidden = ports.length > 0;
    fill(status, SAID[ports.length] ?? `${ports.length} ports are open.`);
  }

  async function follow() {
    let ended = false;
    try {
      await lasting("watch-session", {
        path: { id: session.id },
        signal,
        onlySeen: true,
        onState: (now) => now === "away" && !ended && fill(status, AWAY),
        onEvent: ({ event, data }) => {
          const told = JSON.parse(data);
          if (event === "ports") draw(told.ports);
          if (event === "status") ended = ["terminated", "failed"].includes(told.status);
          // The ports of a session that has ended come after its status.
          return ended && event === "ports";
        },
      });
      if (!signal.aborted) {
        draw([]);
        hint.hidden = true;
        fill(status, "The session has ended: nothing listens in it any more.");
      }
    } catch (error) {
      fill(status, h("span", { class: "problem" }, error.message));
    }
  }

  follow();
  return h("div", null, status, session.session_type === "browser" ? ownPort() : null, list, hint);
}

function cardOf({ port, url, root_url: root }) {
  const first = root ?? url;
  return h(
    "li",
    { class: "card port" },
    h("h2", null, `Port ${port}`),
    linkOf(first, `Copy the address of port ${port}`),
    root ? h("p", { class: "soft" }, "Below the session, for what needs no root of its own:") : null,
    root ? linkOf(url, `Copy the address of port ${port} by path`) : null,
  );
}

function linkOf(address, label) {
  return h(
    "p",
    { class: "address" },
    h("a", { href: address, target: "_blank", rel: "noopener" }, address),
    h("button", { type: "button", class: "small", "aria-label": label, onclick: () => copy(address) }, "Copy"),
  );
}

function ownPort() {
  return h("p", { class: "soft" }, "One of them is that of the browser's DevTools; the live view says how to drive it.");
}

async function hintOf(session, signal) {
  if (session.session_type === "browser") return h("p", null, "What listens beside the browser is shown here.");
  if (await isScripted(signal)) {
    return h(
      "p",
      null,
      "With the scripted engine a port is open while a command runs whose ",
      h("a", { href: "#/stubs" }, "stub"), " has one.",
    );
  }
  return [
    h("p", null, "Start a server in the session, and its address appears here:"),
    h("p", null, h("code", null, "python3 -m http.server 3000")),
  ];
}
