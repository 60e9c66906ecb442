// The attempts at a delivery on a line: what was tried, how long it waited in between, and what is to come.

import { call } from "../../api.js";
import { attempt } from "../../dialog.js";
import { fill, h } from "../../dom.js";
import { seconds, short, time } from "../../format.js";
import { badge, copyable, moment } from "../../parts.js";
import { to } from "../../routes.js";

/**
 * It is {node, draw(tried, clock)}: what was tried stays as it was shown, as it never changes, and only what is new comes
 * to it.
 */
export function timeline() {
  const before = h("p", { class: "soft", hidden: true });
  const past = h("ol", { class: "timeline", "aria-label": "Attempts" });
  const ahead = h("div", { class: "ahead", role: "status", tabindex: -1 });
  const step = advancing(ahead);
  const later = h("div");
  const shown = new Map();

  function draw(tried, clock) {
    before.hidden = !tried.not_kept;
    fill(before, tried.not_kept ? forgotten(tried.not_kept) : "");
    let last = null;
    for (const one of tried.attempts) {
      if (!shown.has(one.number)) {
        shown.set(one.number, itemOf(one, last));
        past.append(shown.get(one.number));
      }
      last = one;
    }
    past.hidden = !tried.attempts.length;
    const next = tried.ahead?.[0] ?? null;
    fill(ahead, whatIsNext(tried, next, clock, last));
    step.draw(next && next.at > clock.now ? next : null);
    fill(later, laterOf(tried.ahead?.slice(1) ?? []));
  }

  const outlook = h("div", { class: "outlook" }, ahead, step.node, later);
  return { node: h("div", null, before, past, outlook), draw };
}

function forgotten(count) {
  const many = count === 1 ? "One attempt was" : `${count} attempts were`;
  return `${many} made before the emulator kept them one by one; only the last answer is known.`;
}

function itemOf(one, last) {
  const good = !one.error;
  const waited = last && gap(last.at, one.at);
  return h(
    "li",
    { class: good ? "good" : "bad" },
    waited ? h("p", { class: "gap soft" }, `${waited} later`) : null,
    h("h3", null, `Attempt ${one.number} `, badge(one.http_status ?? "no answer", good ? "good" : "bad")),
    h("p", { class: "soft" }, moment(one.at), ` · took ${tookOf(one.duration_ms)}`),
    one.error ? h("p", { class: "reason" }, one.error) : null,
    one.headers ? headersOf(one) : null,
  );
}

function headersOf(one) {
  const lines = Object.entries(one.headers).map(([name, value]) => `${name}: ${value}`);
  return h("details", null, h("summary", null, `Headers of attempt ${one.number}`), copyable(lines.join("\n")));
}

/** The loop counts in milliseconds. */
function tookOf(spent) {
  if (spent < 1) return "less than 1 ms";
  return spent < 1000 ? `${Math.round(spent)} ms` : seconds(spent / 1000);
}

function gap(from, until) {
  const passed = (Date.parse(until) - Date.parse(from)) / 1000;
  return passed < 0 ? null : seconds(passed);
}

/** What comes after the attempts, in words. */
function whatIsNext(tried, next, clock, last) {
  const { status } = tried.delivery;
  if (status === "delivered") return h("p", { class: "over" }, "It was delivered: no further attempt is made.");
  if (status === "failed") {
    const text = `All ${tried.most} attempts failed: none is made any more. A replay sends the event again.`;
    return h("p", { class: "over" }, text);
  }
  if (status === "discarded") return h("p", { class: "over" }, "It was given up: no further attempt is made.");
  if (!next) {
    const id = tried.waits_for;
    const link = id ? [": delivery ", h("a", { href: to("/webhooks/deliveries/{id}", { id }) }, short(id))] : null;
    return h("p", { class: "next" }, "It waits until what happened before is told", link, ".");
  }
  if (next.at <= clock.now) return h("p", { class: "next" }, `Attempt ${next.number} is due now, and on its way.`);
  const waits = last && gap(last.at, next.at);
  return h(
    "p",
    { class: "next" },
    h("strong", null, `Attempt ${next.number} of ${tried.most} is due at `, moment(next.at)),
    `, in ${gap(clock.now, next.at)} of the world’s clock`,
    waits ? ` (${waits} after the last)` : "",
    ".",
  );
}

function laterOf(rest) {
  if (!rest.length) return null;
  const items = rest.map((one) => h("li", null, `Attempt ${one.number} at `, moment(one.at)));
  return h("details", { class: "later" }, h("summary", null, "If it goes on to fail"), h("ol", null, items));
}

/**
 * The button that moves the clock to the next attempt: the same one as long as there is one, so that it keeps the focus,
 * which goes to what is said of the next one where there is none any more.
 */
function advancing(said) {
  let next = null;
  const button = h("button", { type: "button", class: "primary", onclick: advance }, "Advance the clock to it");

  async function advance() {
    button.disabled = true;
    const told = ({ now, fired }) => `It is ${time(now)} now. Fallen due on the way: ${fired.length}.`;
    await attempt(() => call("advance-clock", { body: { to: next.at } }), told);
    button.disabled = false;
    if (!button.hidden) button.focus();
  }

  function draw(one) {
    next = one;
    if (one === null && button === document.activeElement) said.focus();
    button.hidden = one === null;
  }

  return { node: h("div", { class: "actions" }, button), draw };
}
