// The overview: what runs here.

import { call } from "../api.js";
import { h } from "../dom.js";
import * as live from "../live.js";
import { facts, moment } from "../parts.js";
import { fill } from "../dom.js";

export async function show({ signal }) {
  const clock = h("section", { class: "card" });
  async function draw() {
    const now = await call("get-clock", { signal });
    fill(clock, h("h2", null, "Clock"), facts([["Now", moment(now.now)], ["Mode", now.mode]]));
  }
  await draw();
  live.changed(["clock"], draw, signal);
  return h("div", { class: "cards" }, clock);
}
