// What happens in the world, as it happens: one stream of events for the whole page, and who wants to hear of it.

import { operation } from "./api.js";
import { gently } from "./gently.js";
import { lasting } from "./lasting.js";

const TOGETHER = 120;
/** For how long a page waits until it is heard what happens. */
const PATIENCE = 1000;
/** How many happenings since a page began are kept for those of its parts that listen later. */
const KEPT = 100;

const listeners = new Set();
const watchers = new Set();
let state = "connecting";
let stopping = null;
let sinceTurn = [];

/**
 * Begin to listen, or begin anew, as with another key. It resolves once all that happens is heard, so that what is read
 * after it is never older than what is heard of; or in a second, and then all is told to have changed later.
 */
export function start() {
  stopping?.abort();
  stopping = new AbortController();
  return follow(stopping.signal);
}

/** Stop listening. */
export function stop() {
  stopping?.abort();
}

/** Another page begins. Its parts read first and listen then; they hear what came between as well. */
export function turn() {
  sinceTurn = [];
}

/** "connecting", "live" or "away", now and (with a listener) whenever it changes. */
export function watchState(listener) {
  watchers.add(listener);
  listener(state);
}

/**
 * Call `listener(data, kind)` for each happening of a kind ("exchange", "event", "due", "delivery", "received", "clock",
 * "control", "*" for all) since the page began and until `signal` is aborted.
 */
export function on(kind, listener, signal) {
  const entry = (found, data) => (kind === "*" || kind === found) && listener(data, found);
  keepUntil(signal, entry);
}

/**
 * Call `listener()` when something of these tags of the document may have changed ("sessions", "jobs", "faults"; also
 * "clock", and "*" for anything at all), once for what happens within a moment, and when the stream was away and has come back.
 */
export function changed(tags, listener, signal) {
  const soon = gently(listener, signal, TOGETHER);
  keepUntil(signal, (kind, data) => concerns(tags, kind, data) && soon());
}

/** Tell all who listen that something of a tag has changed, which the stream does not tell of. */
export function tell(tag) {
  emit("told", { tag });
}

function concerns(tags, kind, data) {
  if (kind === "back" || kind === "due" || kind === "clock") return true;
  const any = tags.includes("*");
  if (kind === "told" || kind === "control") return any || tags.includes(data.tag);
  if (kind === "delivery") return any || tags.includes("deliveries");
  if (kind === "received") return any || tags.includes("sink");
  if (kind === "event") return any || tags.includes(`${data.resource_type}s`.replaceAll("_", "-"));
  if (kind !== "exchange" || data.method === "GET" || !data.operation) return false;
  const { tag } = operation(data.operation);
  // A tool may have done anything.
  return any || tag === "mcp" || tags.includes(tag);
}

function keepUntil(signal, entry) {
  if (signal?.aborted) return;
  for (const [kind, data] of [...sinceTurn]) entry(kind, data);
  listeners.add(entry);
  signal?.addEventListener("abort", () => listeners.delete(entry), { once: true });
}

function become(now) {
  if (now === state) return;
  state = now;
  for (const watcher of watchers) watcher(state);
}

function follow(signal) {
  return new Promise((ready) => {
    let late = false;
    const begun = () => {
      late = true;
      ready();
    };
    setTimeout(begun, PATIENCE);
    listen(signal, () => {
      if (late) emit("back", {});
      begun();
    }).finally(begun);
  });
}

async function listen(signal, opened) {
  let last = null;
  await lasting("watch-events", {
    query: () => (last === null ? { remembered: false } : { after: last }),
    signal,
    // Who refuses now may be about to end; a key that is none any more is told of elsewhere.
    whatever: true,
    onState(now) {
      become(now);
      // The world may have been put back: its numbers begin again, and everything may be another.
      if (now === "live") opened();
    },
    onEvent({ event, data, id }) {
      last = id ?? last;
      emit(event, JSON.parse(data));
    },
  });
}

function emit(kind, data) {
  // Who has missed more than is kept is told that anything may have changed.
  if (sinceTurn.length < KEPT) sinceTurn.push([kind, data]);
  else sinceTurn = [["back", {}]];
  for (const listener of [...listeners]) listener(kind, data);
}
