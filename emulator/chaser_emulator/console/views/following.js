// A part of a page that shows how something is, and shows it anew as soon as it is another.

import { Refusal, wasGivenUp } from "../api.js";
import { fill, h } from "../dom.js";
import { gently } from "../gently.js";
import * as live from "../live.js";
import { to } from "../routes.js";

/** What somebody can do who was refused, by the code of the refusal. */
const ADVICE = {
  forbidden: () => [
    "Choose another account in the header, or see in which role you are here: ",
    link("/members", "Members"),
    ".",
  ],
  insufficient_scope: () => [
    "The key of this tab is limited; open the console with one that may do it, or see ",
    link("/keys", "Keys"),
    ".",
  ],
  account_mismatch: () => ["The key of this tab belongs to another account; choose that one in the header."],
  payment_required: () => ["Put money into the wallet first: ", link("/billing", "Billing"), "."],
  plan_limit_exceeded: () => ["Another plan allows it: ", link("/billing", "Billing"), "."],
  storage_limit_exceeded: () => ["Delete what is not needed, or take another plan: ", link("/billing", "Billing"), "."],
  not_found: () => ["It may have been deleted, belong to another account, or be of a world that was put back."],
};

/**
 * `draw(value)` makes nodes of what `load()` answers, now and whenever something of these `tags` has changed; `say(value)`
 * is a sentence for who cannot see what has changed. Where the API refuses, its reason is shown, and what to do about it.
 */
export async function following({ tags, load, draw, say, signal }) {
  const part = h("div");
  const heard = h("p", { class: "unseen", role: "status" });
  let last = null;

  function show(value) {
    const written = JSON.stringify(value);
    if (written === last) return;
    const spoken = last === null || !say ? "" : say(value);
    last = written;
    redraw(part, draw(value));
    if (spoken && spoken !== heard.textContent) fill(heard, spoken);
  }

  const look = gently(async () => {
    try {
      show(await load());
    } catch (error) {
      if (signal.aborted || wasGivenUp(error)) return;
      const answered = error instanceof Refusal && error.status > 0;
      // While nobody answers, what was seen last is better than nothing; the header says that it is old.
      if (!answered && last !== null) return;
      if (!(error instanceof Refusal)) console.error(error);
      last = null;
      redraw(part, [refused(error), answered && error.status < 500 ? null : tryAgain(look)]);
    }
  }, signal);

  await look();
  live.changed(tags, look, signal);
  return h("div", null, part, heard);
}

function tryAgain(look) {
  return h("p", null, h("button", { type: "button", onclick: look }, "Try again"));
}

/** A refusal in words, with what to do next. */
export function refused(error) {
  const advice = ADVICE[error.code]?.();
  return h(
    "div",
    { class: "card refused", role: "alert" },
    h("p", null, error.message),
    advice && h("p", { class: "soft" }, advice),
  );
}

/**
 * Put nodes in the place of others. Who was on one of them is on its like afterwards, or on the first heading; what was
 * unfolded, and how far lists were scrolled, stays.
 */
function redraw(part, nodes) {
  const was = part.contains(document.activeElement) ? document.activeElement : null;
  const unfolded = [...part.querySelectorAll("details")].map((one) => one.open);
  const scrolled = new Map([...part.querySelectorAll(".window")].map((one) => [nameOf(one), one.scrollTop]));
  fill(part, nodes);
  [...part.querySelectorAll("details")].forEach((one, at) => {
    if (unfolded[at] !== undefined) one.open = unfolded[at];
  });
  for (const one of part.querySelectorAll(".window")) one.scrollTop = scrolled.get(nameOf(one)) ?? 0;
  if (!was) return;
  const like = [...part.querySelectorAll(was.tagName)].find((one) => nameOf(one) === nameOf(was));
  const heading = part.querySelector("h1, h2");
  heading?.setAttribute("tabindex", "-1");
  (like ?? heading ?? document.getElementById("main")).focus({ preventScroll: true });
}

const nameOf = (one) => one.getAttribute("aria-label") ?? one.textContent;

function link(path, text) {
  return h("a", { href: to(path) }, text);
}
