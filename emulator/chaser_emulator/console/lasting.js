// A stream of an operation for as long as a page wants it: taken up again when it breaks off.

import { Refusal, stream, wasGivenUp } from "./api.js";

const FIRST_WAIT = 300;
const LONGEST_WAIT = 5_000;

// The emulator says every 15 seconds that a stream lives.
const QUIET = 40_000;

/**
 * Follow the events of an operation until `onEvent({event, data, id})` answers true for the last one, or `signal` is
 * aborted. `query()` is asked each time what to begin with; `onState` is told "live" and "away". With `onlySeen`
 * nothing is asked for while the page is hidden. Raises Refusal where asking again would be in vain, but with `whatever`.
 */
export async function lasting(id, { path, query = () => ({}), signal, onEvent, onState = () => {}, onlySeen, whatever }) {
  let wait = FIRST_WAIT;
  let over = false;
  while (!signal.aborted && !over) {
    if (onlySeen) await seen(signal);
    const hidden = new AbortController();
    const hide = () => document.hidden && hidden.abort();
    if (onlySeen) document.addEventListener("visibilitychange", hide, { signal: hidden.signal });
    try {
      await stream(id, {
        path,
        query: query(),
        signal: AbortSignal.any([signal, hidden.signal]),
        quiet: QUIET,
        onOpen: () => {
          wait = FIRST_WAIT;
          onState("live");
        },
        onEvent: (event) => {
          over = onEvent(event) === true || over;
        },
      });
    } catch (error) {
      if (wasGivenUp(error)) {
        if (signal.aborted) return;
        continue;
      }
      if (!whatever && isForGood(error)) throw error;
    } finally {
      hidden.abort();
    }
    if (over || signal.aborted) return;
    onState("away");
    await sleep(wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

const isForGood = (error) =>
  error instanceof Refusal && error.status >= 400 && error.status < 500 && error.status !== 429;

/** Wait, but no longer than until somebody looks, or there is a network again. */
function sleep(time) {
  return new Promise((done) => {
    const over = new AbortController();
    const end = () => {
      over.abort();
      done();
    };
    const timer = setTimeout(end, time);
    over.signal.addEventListener("abort", () => clearTimeout(timer));
    addEventListener("online", end, over);
    document.addEventListener("visibilitychange", end, over);
  });
}

/** Wait until the page is in sight, or is not wanted any more. */
function seen(signal) {
  return new Promise((done) => {
    if (!document.hidden || signal.aborted) {
      done();
      return;
    }
    const look = () => !document.hidden && done();
    document.addEventListener("visibilitychange", look, { signal });
    signal.addEventListener("abort", done, { once: true });
  });
}
