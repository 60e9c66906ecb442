// A plain terminal: what a program writes as a log of lines, and a line to write in. It needs nothing of others.

import { fill, freshId, h } from "../../dom.js";
import { MOST_LINES, reader } from "./terminal-text.js";

/** Milliseconds between two looks at what has come; a timer, as a page out of sight draws no frames. */
const PAUSE = 30;

/** Bytes that may come meanwhile before more are waited with. */
const MUCH = 256 * 1024;

/** Whether it has a whole screen. */
export const full = false;

const ROWS = { least: 4, most: 1000 };

/** The keys that a line cannot have. */
const KEYS = [
  ["Ctrl-C", "\x03", "Interrupt what runs"],
  ["Ctrl-D", "\x04", "End the input"],
  ["Esc", "\x1b", "Escape"],
];

/** What shows a terminal, as in terminal-full.js; `echo` shows what is sent, where no shell does. */
export function screenOf({ name, hint, echo, onInput, onSize }) {
  const id = freshId("line");
  const log = h("div", { class: "terminal-log", role: "log", "aria-label": `Output of ${name}`, tabindex: 0 });
  const current = h("div");
  const input = h("input", {
    id, "aria-describedby": hint, type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
    onkeydown: onKey,
  });
  const line = h(
    "form",
    { class: "terminal-line", onsubmit: submit },
    h("label", { for: id }, `Input of ${name}`),
    input,
    h("button", { class: "small primary" }, "Send"),
    KEYS.map(([word, key, title]) =>
      h("button", { type: "button", class: "small", title, onclick: () => press(key) }, word),
    ),
  );
  const note = h("p", { class: "hint", role: "status" });
  const node = h("div", { class: "terminal-plain" }, log, note, line);
  log.append(current);

  const text = reader();
  const past = [];
  let back = 0;
  let waiting = 0;
  let timer = null;
  let goOn = null;

  function write(bytes) {
    text.feed(bytes);
    waiting += bytes.length;
    timer ??= setTimeout(draw, PAUSE);
    if (waiting < MUCH) return null;
    return new Promise((resolve) => {
      goOn = resolve;
    });
  }

  function draw() {
    timer = null;
    waiting = 0;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const { cleared, lines, skipped, full, current: last } = text.take();
    if (cleared) fill(log, current);
    const fresh = lines.map((runs) => h("div", null, spans(runs)));
    if (skipped) fresh.unshift(h("div", { class: "soft" }, `[${skipped} lines are left out here]`));
    current.before(...fresh);
    while (log.childElementCount > MOST_LINES + 1) log.firstElementChild.remove();
    fill(current, spans(last));
    if (full && !note.textContent) fill(note, "A program wanted a whole screen, which a plain terminal does not have.");
    if (atEnd) log.scrollTop = log.scrollHeight;
    goOn?.();
    goOn = null;
  }

  function own(words, kind) {
    current.before(h("div", { class: kind }, words));
    log.scrollTop = log.scrollHeight;
  }

  function submit(event) {
    event.preventDefault();
    const { value } = input;
    if (echo) own(`› ${value}`, "said");
    onInput(`${value}\n`);
    if (value && past.at(-1) !== value) past.push(value);
    back = past.length;
    input.value = "";
  }

  function press(key) {
    onInput(key);
    input.focus();
  }

  function onKey(event) {
    const { ctrlKey, key } = event;
    if (ctrlKey && key === "c" && input.selectionStart === input.selectionEnd) press("\x03");
    else if (ctrlKey && key === "d" && input.value === "") press("\x04");
    else if (key === "ArrowUp" && back > 0) recall(back - 1);
    else if (key === "ArrowDown" && back < past.length) recall(back + 1);
    else return;
    event.preventDefault();
  }

  function recall(which) {
    back = which;
    input.value = past[which] ?? "";
  }

  let told = "";
  const sight = new ResizeObserver(() => {
    if (!log.clientWidth) return;
    const { width, height } = measure(log);
    const rows = Math.min(ROWS.most, Math.max(ROWS.least, Math.floor(log.clientHeight / height)));
    const cols = Math.min(1000, Math.max(20, Math.floor((log.clientWidth - 24) / width)));
    if (told === `${rows} ${cols}`) return;
    told = `${rows} ${cols}`;
    onSize(rows, cols);
  });
  sight.observe(log);

  function dispose() {
    sight.disconnect();
    clearTimeout(timer);
    goOn?.();
  }

  return { node, write, fresh: () => own("", "said"), focus: () => input.focus(), dispose };
}

function spans(runs) {
  return runs.map(({ text, look }) => (look ? h("span", { class: look }, text) : text));
}

/** The room that a character takes in a node. */
function measure(node) {
  const probe = h("span", { "aria-hidden": "true" }, "0".repeat(20));
  node.append(probe);
  const { width, height } = probe.getBoundingClientRect();
  probe.remove();
  return { width: width / 20, height: Math.max(1, height) };
}
