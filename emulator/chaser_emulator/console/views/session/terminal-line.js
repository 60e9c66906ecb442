// The line to the shell of a terminal: bytes both ways, and word of how it ended. No more is taken than is shown.

import { socketAddress } from "../../api.js";

/** Bytes that may wait to be shown where a browser cannot hold the emulator back; what is older is left out. */
const MOST_WAITING = 4 * 2 ** 20;

const LEFT_OUT = "\x1b[0m\r\n[output was left out here, as this browser could not show it in time]\r\n";

const encoder = new TextEncoder();

/**
 * Open one. `onOutput(bytes)` may answer a promise: until it is kept, nothing more is taken. `onReady` is called when
 * the shell is there, `onEnd({exitCode, code, reason})` once at the end, with an exit code of null where there is none.
 *
 * It is {send(text or bytes), resize(rows, cols), close()}. What is sent before it is open waits until it is.
 */
export function lineOf({ id, mode, onReady, onOutput, onEnd }) {
  const address = socketAddress("open-session-pty", { path: { id }, query: { mode } });
  const link = "WebSocketStream" in globalThis ? heldBack(address) : queued(address);
  let exitCode = null;
  let early = [];

  function send(data) {
    if (early) early.push(data);
    else link.send(data);
  }

  function onOpen() {
    for (const data of early) link.send(data);
    early = null;
  }

  async function follow() {
    for await (const message of link.messages(onOpen)) {
      if (typeof message !== "string") {
        await onOutput(new Uint8Array(message));
        continue;
      }
      const word = JSON.parse(message);
      if (word.type === "ready") onReady();
      else if (word.type === "exit") exitCode = word.exit_code;
    }
    onEnd({ exitCode, ...(await link.closed) });
  }

  // A caller has the line before anything happens on it.
  queueMicrotask(follow);
  return {
    send: (data) => send(typeof data === "string" ? encoder.encode(data) : data),
    resize: (rows, cols) => send(JSON.stringify({ type: "resize", rows, cols })),
    close: () => link.close(),
  };
}

/** A socket whose reader holds the sender back. */
function heldBack(address) {
  const socket = new WebSocketStream(address);
  let writer = null;
  const closed = socket.closed.then(
    ({ closeCode, reason }) => ({ code: closeCode, reason }),
    () => ({ code: 1006, reason: "" }),
  );
  async function* messages(onOpen) {
    try {
      const { readable, writable } = await socket.opened;
      writer = writable.getWriter();
      onOpen();
      const reader = readable.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        yield value;
      }
    } catch {
      // `closed` tells how it ended.
    }
  }
  return {
    messages,
    closed,
    send: (data) => writer?.write(data).catch(() => {}),
    close: () => socket.close(),
  };
}

/** A socket whose messages wait here, and where too many do, the oldest give way. */
function queued(address) {
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  const waiting = [];
  let size = 0;
  let wake = () => {};
  let isOpen = () => {};
  socket.addEventListener("message", ({ data }) => {
    waiting.push(data);
    if (typeof data !== "string") size += data.byteLength;
    if (size > MOST_WAITING) thin();
    wake();
  });
  socket.addEventListener("open", () => isOpen());
  const closed = new Promise((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => {
      resolve({ code, reason });
      wake();
    });
  });

  function thin() {
    const kept = waiting.filter((one) => typeof one === "string");
    waiting.splice(0, waiting.length, encoder.encode(LEFT_OUT), ...kept);
    size = 0;
  }

  async function* messages(onOpen) {
    isOpen = onOpen;
    for (;;) {
      while (waiting.length) {
        const one = waiting.shift();
        if (typeof one !== "string") size = Math.max(0, size - one.byteLength);
        yield one;
      }
      if (socket.readyState === WebSocket.CLOSED) return;
      await new Promise((resolve) => {
        wake = resolve;
      });
    }
  }
  return {
    messages,
    closed,
    send: (data) => socket.readyState === WebSocket.OPEN && socket.send(data),
    close: () => socket.close(),
  };
}
