// What a terminal writes, read as lines of text with a few looks: for where there is no screen to draw on.

import { classOf, PLAIN, turned } from "../../ansi.js";

/** Lines that are kept. */
export const MOST_LINES = 2000;

const WIDEST = 4096;

/**
 * A reader of output. `feed(bytes)` takes it, and characters over the borders of pieces too. `take()` answers what is
 * new: {cleared, lines, current, skipped, full}, each line a list of {text, look}, `look` being names of classes;
 * `skipped` counts lines that nobody could have read, and `full` says that a program wanted a whole screen.
 */
export function reader() {
  const decoder = new TextDecoder();
  let chars = [];
  let looks = [];
  let at = 0;
  let look = "";
  let marks = PLAIN;
  let lines = [];
  let skipped = 0;
  let cleared = false;
  let full = false;
  // null in plain text, else the beginning of an escape sequence.
  let escape = null;

  function put(char) {
    if (at >= WIDEST) return;
    while (chars.length < at) {
      chars.push(" ");
      looks.push("");
    }
    chars[at] = char;
    looks[at] = look;
    at += 1;
  }

  function cut(from) {
    chars.length = Math.min(chars.length, from);
    looks.length = chars.length;
  }

  function newLine() {
    lines.push(runs(chars, looks));
    if (lines.length > 2 * MOST_LINES) {
      skipped += MOST_LINES;
      lines = lines.slice(MOST_LINES);
    }
    cut(0);
    at = 0;
  }

  function clear() {
    lines = [];
    skipped = 0;
    cleared = true;
    cut(0);
    at = 0;
  }

  function control(char) {
    if (char === "\n") newLine();
    else if (char === "\r") at = 0;
    else if (char === "\b") at = Math.max(0, at - 1);
    else if (char === "\t") at = Math.min(WIDEST, at + 8 - (at % 8));
    else if (char === "\x1b") escape = "";
  }

  function step(char) {
    if (escape === null) {
      if (char < " " || char === "\x7f") control(char);
      else put(char);
      return;
    }
    escape += char;
    const kind = escape[0];
    if (kind === "[") {
      if (escape.length > 1 && char >= "@" && char <= "~") finish(() => obey(escape.slice(1, -1), char));
      else if (escape.length > 64) escape = null;
    } else if ("]PX^_".includes(kind)) {
      // A title, a link and the like: nothing of it is shown.
      if (char === "\x07" || escape.endsWith("\x1b\\")) escape = null;
      else if (escape.length > 64) escape = kind + escape.slice(-1);
    } else if (!"()*+ #%".includes(kind) || escape.length > 1) {
      if (kind === "c") clear();
      escape = null;
    }
  }

  function finish(act) {
    act();
    escape = null;
  }

  /** A control sequence: those that a line can follow. */
  function obey(given, final) {
    const numbers = given.split(/[;:]/).map((one) => Number.parseInt(one, 10) || 0);
    const [first] = numbers;
    const many = Math.min(WIDEST, Math.max(1, first));
    if (given.startsWith("?")) {
      if (/^\?(1049|1047|47)$/.test(given) && final === "h") full = true;
    } else if (final === "m" && /^[\d;:]*$/.test(given)) dress(given);
    else if (final === "K") cut(first === 0 ? at : 0);
    else if (final === "J") {
      if (first >= 2) clear();
      else cut(at);
    } else if (final === "C") at = Math.min(WIDEST, at + many);
    else if (final === "D") at = Math.max(0, at - many);
    else if (final === "G") at = many - 1;
    else if (final === "P") {
      chars.splice(at, many);
      looks.splice(at, many);
    } else if (final === "@" && chars.length + many <= WIDEST) {
      chars.splice(at, 0, ...Array(many).fill(" "));
      looks.splice(at, 0, ...Array(many).fill(""));
    }
  }

  function dress(codes) {
    marks = turned(marks, codes);
    look = classOf(marks);
  }

  function feed(bytes) {
    for (const char of decoder.decode(bytes, { stream: true })) step(char);
  }

  function take() {
    if (lines.length > MOST_LINES) {
      skipped += lines.length - MOST_LINES;
      lines = lines.slice(-MOST_LINES);
    }
    const taken = { cleared, lines, skipped, full, current: runs(chars, looks) };
    lines = [];
    skipped = 0;
    cleared = false;
    return taken;
  }

  return { feed, take };
}

/** Characters of one look, together. */
function runs(chars, looks) {
  const found = [];
  for (let at = 0; at < chars.length; at += 1) {
    const last = found.at(-1);
    if (last && last.look === looks[at]) last.text += chars[at];
    else found.push({ text: chars[at], look: looks[at] });
  }
  return found;
}
