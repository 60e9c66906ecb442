// The clock of the world: what it shows, how it is moved, what falls due next, and what fell due while one looked.

import { call } from "../api.js";
import { tellError } from "../dialog.js";
import { fill, h } from "../dom.js";
import { distance } from "../durations.js";
import * as live from "../live.js";
import { moment, style, top } from "../parts.js";
import { table } from "../table.js";
import { face } from "./clock/face.js";
import { identify, linked, told } from "./clock/happenings.js";
import { moving, setting } from "./clock/moving.js";

const AHEAD = 100;
const CLOSE = 1000;
const TOGETHER = 150;
/** Tags of the document whose operations bring something that falls due. */
const BRINGING = ["clock", "sessions", "exec", "jobs", "webhooks", "billing", "workspaces", "seed", "state"];

export async function show({ signal }) {
  const [reading] = await Promise.all([call("get-clock", { signal }), style("steering")]);
  const said = h("p", { class: "clock-said", role: "status" });
  const dial = face(signal, () => away());
  const buttons = setting(work);

  const due = table({
    label: "What falls due next",
    columns: [
      { title: "What", render: (one) => [told(one, "ahead"), " ", linked(one)] },
      {
        title: "In",
        width: "7rem",
        narrow: "4rem",
        render: (one) => h("span", { dataset: { at: one.at } }, until(one.at)),
      },
      { title: "At", width: "10.5rem", minor: true, render: (one) => moment(one.at) },
      { title: "", width: "5.5rem", narrow: "4.75rem", render: goThere },
    ],
    identify,
    empty: "Nothing falls due: no session lives, no job waits and no webhook is to be sent.",
  });
  due.node.classList.add("fits");
  const more = h("p", { class: "soft spaced", hidden: true }, `These are the first ${AHEAD}; there are more.`);
  const fired = table({
    label: "What fell due",
    columns: [
      { title: "What", render: (one) => [told(one, "past"), " ", linked(one)] },
      { title: "At", width: "10.5rem", narrow: "6rem", render: (one) => moment(one.at) },
    ],
    identify,
    empty: "Nothing yet. What falls due while this page is open is listed here.",
  });
  fired.node.classList.add("fits");
  fired.set([]);

  function until(at) {
    return distance(Date.parse(at), dial.now());
  }

  function away() {
    for (const cell of due.node.querySelectorAll("[data-at]")) fill(cell, until(cell.dataset.at));
  }

  function draw(now) {
    dial.show(now);
    buttons.show(now);
  }

  function keep(happened) {
    const known = new Set(fired.rows().map(identify));
    const fresh = happened.filter((one) => !known.has(identify(one)));
    // The newest first; of what came at one moment, what came last.
    if (fresh.length) fired.set([...fresh.reverse(), ...fired.rows()].sort((a, b) => b.at.localeCompare(a.at)));
  }

  async function look() {
    try {
      const found = await call("list-due", { query: { limit: AHEAD }, signal });
      draw(found);
      due.set(found.due);
      more.hidden = !found.more;
    } catch (error) {
      tellError(error);
    }
  }

  async function work(action) {
    const controls = [...node.querySelectorAll(".clock-controls button")].filter((one) => !one.disabled);
    const focused = document.activeElement;
    fill(said, "The clock is moved…");
    for (const one of controls) one.disabled = true;
    let now = null;
    try {
      now = await action();
    } catch (error) {
      tellError(error);
    }
    for (const one of controls) one.disabled = false;
    fill(said, now ? summary(now) : "");
    if (now) {
      draw(now);
      keep(now.fired ?? []);
      await look();
    }
    if (focused?.isConnected && !focused.disabled) focused.focus({ preventScroll: true });
  }

  function goThere(one) {
    const label = `Move on to ${one.at.slice(0, 19).replace("T", " ")}`;
    // What is due by now, or as good as, lies before a moment that the clock shows by then.
    const body = () => (Date.parse(one.at) > dial.now() + CLOSE ? { to: one.at } : { seconds: CLOSE / 1000 });
    const go = () => work(() => call("advance-clock", { body: body() }));
    return h("button", { type: "button", class: "small", "aria-label": label, onclick: go }, "Go there");
  }

  const node = h(
    "div",
    { class: "clock-page" },
    top("Clock"),
    h(
      "div",
      { class: "cards clock-controls" },
      h("section", { class: "card" }, h("h2", null, "Now"), dial.node, buttons.node),
      h("section", { class: "card" }, h("h2", null, "Move it on"), moving(work)),
    ),
    said,
    h(
      "div",
      { class: "pair" },
      h("section", null, h("h2", null, "Next"), due.node, more),
      h("section", null, h("h2", null, "Fell due"), fired.node),
    ),
  );
  draw(reading);
  await look();
  // A clock that is moved far tells of thousands within a moment.
  let heard = [];
  const keepHeard = () => {
    const together = heard;
    heard = [];
    keep(together);
  };
  live.on("due", (one) => heard.push(one) === 1 && setTimeout(keepHeard, TOGETHER), signal);
  live.changed(BRINGING, look, signal);
  return node;
}

function summary(now) {
  const where = `The clock shows ${now.now.slice(0, 19).replace("T", " ")}`;
  if (!now.fired) return `${where} and ${now.mode === "real" ? "goes" : "stands still"}.`;
  const count = now.fired.length;
  const many = count === 0 ? "nothing fell due" : count === 1 ? "1 thing fell due" : `${count} things fell due`;
  const gaveUp = now.idle === false ? " Something falls due for ever; it was given up." : "";
  return `${where}; ${many} on the way.${gaveUp}`;
}
