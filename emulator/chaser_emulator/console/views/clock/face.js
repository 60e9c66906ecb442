// The clock's face: what time it is, ticking where it goes. One reading is enough for that; nothing is asked for.

import { fill, h } from "../../dom.js";
import { badge } from "../../parts.js";

const EACH = 250;

/**
 * A face, {node, show(reading), now()}: a reading is {now, mode}, `now()` what it shows at this moment in
 * milliseconds. It stops when `signal` is aborted. `onTick()` is called whenever what it shows has changed.
 */
export function face(signal, onTick = () => {}) {
  const day = h("span", { class: "day" });
  const time = h("span", { class: "time" });
  const shown = h("time", { class: "face" }, day, time);
  const state = h("p", { class: "state" });
  let at = Date.now();
  let read = performance.now();
  let goes = false;
  let drawn = "";

  const now = () => (goes ? at + (performance.now() - read) : at);

  function draw() {
    const text = new Date(now()).toISOString();
    if (text.slice(0, 19) === drawn) return;
    drawn = text.slice(0, 19);
    fill(day, text.slice(0, 10));
    fill(time, text.slice(11, 19), h("span", { class: "soft zone" }, " UTC"));
    shown.setAttribute("datetime", text);
    onTick();
  }

  function show(reading) {
    at = Date.parse(reading.now);
    read = performance.now();
    goes = reading.mode === "real";
    const word = goes ? badge("goes", "good") : badge("stands still", "warn");
    fill(state, word, h("span", { class: "soft" }, goes ? beside(at) : "until it is let go, or moved"));
    drawn = "";
    draw();
  }

  const ticking = setInterval(draw, EACH);
  signal.addEventListener("abort", () => clearInterval(ticking), { once: true });
  return { node: h("div", { class: "clock-face" }, shown, state), show, now };
}

/** How far a clock that goes is from that of this machine. */
function beside(at) {
  const ahead = Math.round((at - Date.now()) / 1000);
  if (Math.abs(ahead) < 3) return "with the machine";
  const days = Math.abs(ahead) / 86400;
  const far = days >= 2 ? `${Math.round(days)} days` : `${Math.max(1, Math.round(Math.abs(ahead) / 60))} min`;
  return `${far} ${ahead > 0 ? "ahead of" : "behind"} the machine`;
}
