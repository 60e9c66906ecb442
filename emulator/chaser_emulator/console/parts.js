// Small things that many pages show: the state of something, facts, a text to copy, tabs.

import { notice } from "./dialog.js";
import { wasGivenUp } from "./api.js";
import { append, h, refill } from "./dom.js";
import { time } from "./format.js";
import * as live from "./live.js";
import { to } from "./routes.js";

const KINDS = {
  good: ["running", "completed", "succeeded", "delivered", "success", "active", "paid", "ready", "ok"],
  bad: ["failed", "error", "exhausted", "denied", "killed", "timed_out"],
  warn: ["starting", "terminating", "pending", "queued", "paused", "canceled", "discarded"],
};

/** The state of something, in a colour that goes with it; the word says it as well. */
export function badge(word, kind) {
  const found = kind ?? Object.keys(KINDS).find((one) => KINDS[one].includes(word)) ?? "";
  return h("span", { class: `badge ${found}` }, word);
}

/** A moment: its day and time, and all of it as a title. */
export function moment(timestamp) {
  return timestamp ? h("time", { datetime: timestamp, title: timestamp }, time(timestamp)) : "";
}

/** Pairs of a name and a value, those without a value left out. */
export function facts(pairs) {
  const list = h("dl", { class: "facts" });
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    append(list, h("div", null, h("dt", null, name), h("dd", null, value)));
  }
  return list;
}

/** A text, and a button that copies it, of which a screen reader says `said`. */
export function copyable(text, label = "Copy", said = label) {
  const button = h("button", { type: "button", class: "small", "aria-label": said, onclick: () => copy(text) }, label);
  return h("div", { class: "copyable" }, h("pre", { tabindex: 0 }, text), button);
}

/** Put a text on the clipboard. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notice("Copied.", "good");
  } catch {
    notice("The browser does not let a page copy here; select the text instead.", "bad");
  }
}

/**
 * A card with a heading, filled with what `load()` answers: now, and whenever something of these `tags` changes. It says
 * itself when that takes time or goes wrong.
 */
export function panel(title, load, { tags = [], signal, kind = "" } = {}) {
  const content = h("div", { class: "content" }, h("p", { class: "soft" }, "Loading…"));
  async function draw() {
    try {
      const node = await load();
      if (!signal?.aborted) refill(content, node);
    } catch (error) {
      if (wasGivenUp(error) || signal?.aborted) return;
      if (error.status === undefined) console.error(error);
      refill(content, h("p", { class: "problem" }, error.message), h("button", { type: "button", onclick: draw }, "Try again"));
    }
  }
  draw();
  if (tags.length) live.changed(tags, draw, signal);
  return h("section", { class: `card ${kind}`.trim() }, h("h2", null, title), content);
}

/**
 * Links between the parts of the page at a path, each {name, title}. It is {chosen, links}: `chosen` is the part that
 * `query.tab` names, else the first.
 */
export function tabs(label, parts, path, query, params = {}) {
  const chosen = parts.find((one) => one.name === query.tab) ?? parts[0];
  const links = parts.map(({ name, title }) =>
    h("a", { href: to(path, params, { tab: name }), "aria-current": name === chosen.name ? "page" : null }, title),
  );
  return { chosen, links: h("nav", { class: "tabs", "aria-label": label }, links) };
}

/** The heading of a page, and what can be done there. */
export function top(title, ...actions) {
  return h("div", { class: "bar-top" }, h("h1", null, title), h("div", { class: "actions" }, actions));
}

/** A button by which a file is chosen, which is given to `take(file)`; `label` is what it has to be. */
export function fileButton(text, { label, accept, take }) {
  const input = h("input", {
    type: "file", class: "unseen", tabindex: -1, accept, "aria-label": label,
    onchange: () => {
      const [file] = input.files;
      input.value = "";
      if (file) take(file);
    },
  });
  return [h("button", { type: "button", onclick: () => input.click() }, text), input];
}

/** Load a stylesheet of these folders, once; it is there when the promise is kept. */
export function style(name) {
  const href = `console/${name}.css`;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise((resolve) => {
    document.head.append(h("link", { rel: "stylesheet", href, onload: resolve, onerror: resolve }));
  });
}
