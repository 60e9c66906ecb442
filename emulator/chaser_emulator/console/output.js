// What a program writes, as it comes: of any length, with only the lines in sight in the page.

import { lookAfter, nodesOf, PLAIN, textOf } from "./ansi.js";
import { fill, h } from "./dom.js";
import { bytes, counted } from "./format.js";
import { copy } from "./parts.js";
import { save } from "./saving.js";

const ROW = 20;
const SPARE = 20;
const MOST_ROWS = 200_000;
const WIDEST = 4096;
const TOGETHER = 2 ** 20;
const MOST_COPIED = 2 ** 20;
const SETTLES = 1000;

/**
 * A window for output, called `label`; `name` is what its file is called when it is saved. It is {node, add(bytes),
 * end(), size()}: `add` takes a Uint8Array, which may begin and end within a character, `end` says that no more comes.
 */
export function output({ label, name }) {
  const decoder = new TextDecoder();
  const inner = h("div", { class: "output-rows" });
  const node = h(
    "div",
    { class: "output-window", tabindex: 0, role: "region", "aria-label": label, onscroll: scrolled },
    inner,
  );
  const note = h("span", { class: "soft" });
  const toEnd = h("button", { type: "button", class: "small", hidden: true, onclick: goToEnd }, "Go to the end");
  const download = h("button", { type: "button", class: "small", onclick: () => save(whole(), name) }, "Download");
  const copying = h("button", { type: "button", class: "small", onclick: copyAll }, "Copy");
  const bar = h("div", { class: "output-bar" }, note, h("div", { class: "actions" }, toEnd, copying, download));
  let rows = [];
  let rest = "";
  let look = PLAIN;
  let leftOut = 0;
  let size = 0;
  let kept = [];
  let loose = [];
  let looseSize = 0;
  let follows = true;
  let sentToEnd = -Infinity;
  let over = false;
  let asked = 0;
  let drawn = new Map();
  new ResizeObserver(soon).observe(node);
  soon();

  function add(data) {
    if (!data.length) return;
    keep(data);
    take(decoder.decode(data, { stream: true }));
    soon();
  }

  function end() {
    over = true;
    take(decoder.decode());
    soon();
  }

  /** Bytes for the download: many small pieces become one that the browser may put where it likes. */
  function keep(data) {
    size += data.length;
    loose.push(data);
    looseSize += data.length;
    if (looseSize < TOGETHER) return;
    kept.push(new Blob(loose));
    loose = [];
    looseSize = 0;
  }

  const whole = () => new Blob([...kept, ...loose]);

  function take(text) {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) push(line);
    // A line that is written over and over, as one that tells of progress, is as long as what is seen of it.
    const start = rest.length > WIDEST ? rest.lastIndexOf("\r", rest.length - 2) : 0;
    if (start > 0) {
      look = lookAfter(rest.slice(0, start), look);
      rest = rest.slice(start);
    }
    while (rest.length > WIDEST) rest = row(rest);
    if (rows.length > MOST_ROWS * 1.1) {
      const gone = rows.length - MOST_ROWS;
      rows = rows.slice(gone);
      leftOut += gone;
      if (!follows) {
        draw();
        node.scrollTop = Math.max(0, node.scrollTop - gone * ROW);
      }
    }
  }

  function push(line) {
    let left = line;
    while (left.length > WIDEST) left = row(left);
    rows.push({ text: left, look });
    look = lookAfter(left, look);
  }

  /** Take the beginning of a line that is too wide as a row of its own, and answer what is left of it. */
  function row(line) {
    const escape = line.lastIndexOf("\u001b", WIDEST);
    const cut = escape > WIDEST - 64 && escape > 0 ? escape : WIDEST;
    const text = line.slice(0, cut);
    rows.push({ text, look });
    look = lookAfter(text, look);
    return line.slice(cut);
  }

  function soon() {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      draw();
    });
  }

  function draw() {
    const all = rows.length + (rest ? 1 : 0);
    inner.style.setProperty("height", `${all * ROW}px`);
    node.classList.toggle("short", all * ROW < 400);
    if (follows) node.scrollTop = all * ROW;
    const first = Math.max(0, Math.floor(node.scrollTop / ROW) - SPARE);
    const last = Math.min(all, Math.ceil((node.scrollTop + node.clientHeight) / ROW) + SPARE);
    const shown = new Map();
    for (let at = first; at < last; at += 1) {
      const one = rows[at] ?? { text: rest, look };
      // A line that stays is the same element, so that what is selected in it stays selected.
      const element = drawn.get(one) ?? h("div", { class: "output-row" }, nodesOf(one.text, one.look), "\n");
      element.style.setProperty("transform", `translateY(${at * ROW}px)`);
      shown.set(one, element);
    }
    for (const [one, element] of drawn) if (!shown.has(one)) element.remove();
    let before = null;
    for (const element of [...shown.values()].reverse()) {
      if (element.parentNode !== inner || element.nextSibling !== before) inner.insertBefore(element, before);
      before = element;
    }
    drawn = shown;
    tell(all);
  }

  /** It is followed for as long as one is at its end: it grows only while it is drawn, and then one is taken along. */
  function scrolled() {
    const atEnd = node.scrollTop + node.clientHeight >= node.scrollHeight - ROW;
    follows = atEnd || performance.now() < sentToEnd + SETTLES;
    soon();
  }

  function tell(all) {
    toEnd.hidden = follows;
    download.disabled = !size;
    copying.hidden = !size || size > MOST_COPIED;
    const lines = all + leftOut;
    const many = `${counted(lines, "line")}, ${bytes(size)}`;
    const cut = `; the last ${all.toLocaleString("en")} are shown, the download has them all`;
    fill(note, size ? many : over ? "No output." : "No output yet.", leftOut ? cut : "");
  }

  function goToEnd() {
    follows = true;
    // A browser may still be on its way to where a key has sent it before.
    sentToEnd = performance.now();
    draw();
    node.focus({ preventScroll: true });
  }

  function copyAll() {
    copy([...rows.map((one) => one.text), rest].map(textOf).join("\n"));
  }

  return { node: h("div", { class: "output" }, bar, node), add, end, size: () => size };
}
