// A full terminal: the component xterm.js, dressed in the colours of the page and held to the page's policy.

import { confirm } from "../../dialog.js";
import { h } from "../../dom.js";
import { copy, style } from "../../parts.js";
import { FitAddon } from "../../vendor/addon-fit.js";
import { Terminal } from "../../vendor/xterm.js";
import { boundHearing, boundMarks, boundSequences, pieces } from "./terminal-bounds.js";
import { colours, onThemeChange } from "./terminal-colours.js";

/** Bytes that may be on their way to the screen, and how few it is before more are taken. */
const MUCH = 256 * 1024;
const LITTLE = 64 * 1024;

/** Out of the other screen, and all that a program may have left behind: looks, mouse, paste, cursor. */
const FRESH = "\x1b[?1049l\x1b[!p\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m\r\n";

await style("vendor/xterm");

/** Whether it has a whole screen. */
export const full = true;

/**
 * What shows a terminal. `hint` is the id of what describes it, `onInput(text or bytes)` what was typed, `onSize(rows,
 * cols)` its size, from the first on, and `onLeave()` the wish of a keyboard to be elsewhere. It is {node, fresh(),
 * write(bytes), focus(), dispose()}; `write` answers a promise when it wants to be waited for.
 */
export function screenOf({ name, hint, onInput, onSize, onLeave }) {
  const node = h("div", { class: "terminal-screen" });
  const fit = new FitAddon();
  const terminal = new Terminal({
    cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    fontSize: 13,
    linkHandler: { activate: (_event, address) => follow(address), allowNonHttpProtocols: false },
    logLevel: "off",
    minimumContrastRatio: 4.5,
    screenReaderMode: true,
    scrollback: 5000,
  });
  terminal.loadAddon(fit);
  boundSequences(terminal);
  boundMarks(terminal);
  terminal.onData(onInput);
  terminal.onBinary((text) => onInput(Uint8Array.from(text, (one) => one.charCodeAt(0))));
  terminal.onResize(({ rows, cols }) => onSize(rows, cols));
  terminal.attachCustomKeyEventHandler(isForTerminal);

  // It can be measured, and so opened, only once it is in the page and in sight.
  let opened = false;
  let awaited = false;
  const sight = new ResizeObserver(() => {
    if (!node.clientWidth || !node.clientHeight) return;
    if (!opened) open();
    else fit.fit();
  });
  sight.observe(node);

  function open() {
    opened = true;
    const look = getComputedStyle(node);
    terminal.options.fontFamily = look.fontFamily;
    terminal.options.theme = colours(node);
    openStrictly(terminal, node);
    boundHearing(terminal);
    terminal.textarea.setAttribute("aria-label", `Input of ${name}`);
    terminal.textarea.setAttribute("aria-describedby", hint);
    terminal.textarea.addEventListener("input", takeSigns);
    fit.fit();
    onSize(terminal.rows, terminal.cols);
    if (awaited) terminal.focus();
  }

  function focus() {
    awaited = true;
    if (opened) terminal.focus();
  }

  const unwatch = onThemeChange(() => {
    if (opened) terminal.options.theme = colours(node);
  });

  /** What comes without a key, as from a table of signs: the component leaves that where it serves screen readers. */
  function takeSigns({ inputType, data, isComposing }) {
    if (inputType === "insertText" && data && !isComposing && !pressed) onInput(data);
  }

  let pressed = false;

  function isForTerminal(event) {
    pressed = event.type !== "keyup";
    if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return true;
    const letter = /^[a-z]$/i.test(event.key) ? event.key.toLowerCase() : event.code.slice(-1).toLowerCase();
    // The browser itself pastes.
    if (letter === "v") return false;
    if (letter !== "l" && letter !== "c") return true;
    event.preventDefault();
    if (letter === "l") onLeave();
    else if (terminal.hasSelection()) copy(terminal.getSelection());
    return false;
  }

  let onTheWay = 0;
  let goOn = null;

  function write(bytes) {
    for (const piece of pieces(bytes)) {
      onTheWay += piece.length;
      terminal.write(piece, () => {
        onTheWay -= piece.length;
        if (onTheWay < LITTLE) goOn?.();
      });
    }
    if (onTheWay < MUCH) return null;
    return new Promise((resolve) => {
      goOn = resolve;
    });
  }

  function dispose() {
    sight.disconnect();
    unwatch();
    goOn?.();
    terminal.dispose();
  }

  return { node, write, fresh: () => terminal.write(FRESH), focus, dispose };
}

/** Go where a link of the output leads, if it is meant to: what it says need not be where it leads. */
async function follow(text) {
  if (!URL.canParse(text)) return;
  const address = new URL(text);
  if (!["http:", "https:"].includes(address.protocol)) return;
  const wanted = await confirm({ title: "Open this link?", text: address.href, verb: "Open it" });
  if (wanted) open(address.href, "_blank", "noopener,noreferrer");
}

/**
 * Open the component within the page's strict policy: the stylesheets that it makes while it opens carry the page's
 * nonce, and what it would write as an attribute `style`, for colours of a program's own, is set as properties.
 */
function openStrictly(terminal, node) {
  const { nonce } = document.querySelector("link[nonce]");
  const make = document.createElement.bind(document);
  document.createElement = (tag, options) => {
    const element = make(tag, options);
    if (tag === "style") element.nonce = nonce;
    return element;
  };
  try {
    terminal.open(node);
  } finally {
    delete document.createElement;
  }
  // None of its public ways leads here; its version is pinned.
  terminal._core._renderService._renderer.value._rowFactory._addStyle = (element, style) => {
    element.style.cssText += style;
  };
}
