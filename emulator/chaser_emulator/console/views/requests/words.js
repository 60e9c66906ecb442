// How requests and their answers are named in lists and on their pages.

import { h } from "../../dom.js";
import { badge } from "../../parts.js";

/** What was asked, as the first line of a request has it. */
export function line(one) {
  return h("span", { class: "line" }, h("b", null, one.method), " ", h("code", null, one.path));
}

/** What was answered, in a colour, with the code of a refusal and the fault that had a hand in it. */
export function answer(one) {
  const code = one.code && h("span", { class: "why" }, one.code);
  return h("span", { class: "answer" }, badge(statusWord(one), statusKind(one)), code, faultMark(one));
}

/** The status, or what there is instead of one. */
export function statusWord(one) {
  if (one.status) return String(one.status);
  return one.done ? "no answer" : "under way";
}

export function statusKind(one) {
  if (!one.status) return one.done ? "bad" : "warn";
  if (one.status >= 500) return "bad";
  return one.status >= 400 ? "warn" : one.status >= 200 && one.status < 300 ? "good" : "";
}

function faultMark(one) {
  return one.fault && h("span", { class: "why", title: `The fault ${one.fault} had a hand in it` }, "fault");
}

/** How long it took, which the emulator counts in milliseconds. */
export function took(one) {
  if (!one.done) return "";
  return one.duration_ms < 1 ? "< 1 ms" : `${NUMBER.format(Math.round(one.duration_ms))} ms`;
}

/** Made once, as that takes longer than all the rest of a row. */
const NUMBER = new Intl.NumberFormat("en");

/** "2026-03-01T12:00:00.123456Z" -> "12:00:00.123" */
export function instant(timestamp) {
  return h("time", { datetime: timestamp, title: timestamp }, timestamp.slice(11, 23));
}
