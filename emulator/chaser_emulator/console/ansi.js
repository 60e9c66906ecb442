// What programs write for terminals, as plain nodes: colours become classes, all that moves a cursor is left out.

import { h } from "./dom.js";

/** How text looks until something is said about it. */
export const PLAIN = Object.freeze({});

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const ATTRIBUTES = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "struck" };
const UNDERLINE = 4;
const ENDS = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["struck"] };

// Colours and the like; other sequences of CSI; those that carry a text; short ones; and what else is not shown.
const SEQUENCE = new RegExp(
  "\\u001b\\[([0-9;:]*)m|\\u001b\\[[0-?]*[ -/]*[@-~]|\\u001b[\\]PX^_][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\|$)" +
    "|\\u001b[ -/]*[0-~]|[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]",
  "g",
);

/** How text looks after what a line says. */
export function lookAfter(line, look) {
  if (!line.includes("\u001b")) return look;
  let found = look;
  for (const [, codes] of line.matchAll(SEQUENCE)) if (codes !== undefined) found = turned(found, codes);
  return found;
}

/** A line as nodes and texts, beginning with a look. What was written over, up to a carriage return, is left out. */
export function nodesOf(line, look) {
  const kept = visible(line);
  const nodes = [];
  let found = lookAfter(line.slice(0, line.length - kept.length), look);
  let at = 0;
  const add = (text) => {
    if (text) nodes.push(classOf(found) ? h("span", { class: classOf(found) }, text) : text);
  };
  for (const match of kept.matchAll(SEQUENCE)) {
    add(kept.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[1] !== undefined) found = turned(found, match[1]);
  }
  add(kept.slice(at));
  return nodes;
}

/** A line as a text. */
export const textOf = (line) => visible(line).replace(SEQUENCE, "");

function visible(line) {
  const whole = line.endsWith("\r") ? line.slice(0, -1) : line;
  return whole.slice(whole.lastIndexOf("\r") + 1);
}

/** A look, turned by the numbers of a sequence that ends in `m`, as they are written. */
export function turned(look, codes) {
  const next = { ...look };
  const list = codes.split(";");
  for (let at = 0; at < list.length; at += 1) {
    // What belongs to a number follows it after colons, or as numbers of their own.
    const [code, ...more] = list[at].split(":").map(Number);
    if (code === 0) for (const name of Object.keys(next)) delete next[name];
    else if (code === UNDERLINE && more[0] === 0) delete next.underline;
    else if (ATTRIBUTES[code]) next[ATTRIBUTES[code]] = true;
    else if (ENDS[code]) for (const name of ENDS[code]) delete next[name];
    else if (code === 38 || code === 48 || code === 58) {
      const [kind, colour] = more.length ? more : list.slice(at + 1).map(Number);
      if (!more.length) at += kind === 5 ? 2 : 4;
      // One of 256, of which the first have names, or any mixture, which has none here.
      const named = kind === 5 && colour < 16;
      if (code === 38) set(next, "fore", named ? `${colour < 8 ? "" : "bright-"}${NAMES[colour % 8]}` : undefined);
      if (code === 48) set(next, "back", named ? NAMES[colour % 8] : undefined);
    } else if (code === 39 || code === 49) set(next, code === 39 ? "fore" : "back", undefined);
    else if (code >= 30 && code < 38) set(next, "fore", NAMES[code % 10]);
    else if (code >= 90 && code < 98) set(next, "fore", `bright-${NAMES[code % 10]}`);
    else if ((code >= 40 && code < 48) || (code >= 100 && code < 108)) set(next, "back", NAMES[code % 10]);
  }
  return next;
}

function set(look, name, value) {
  if (value === undefined) delete look[name];
  else look[name] = value;
}

/** The classes of a look, as ansi.css has them. */
export function classOf(look) {
  const words = Object.values(ATTRIBUTES).filter((name) => look[name]);
  if (look.fore) words.push(`fore-${look.fore}`);
  if (look.back) words.push(`back-${look.back}`);
  return words.join(" ");
}
