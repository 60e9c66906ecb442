// A stream of an operation for as long as a page wants it: taken up again when it breaks off.

import { Refusal, stream, wasGivenUp } from "./api.js";

const FIRST_WAIT = 300;
const LONGEST_WAIT = 5_000;

// The emulator says every 15 seconds that a stream lives.
const QUIET = 40_000;

/**
 * Follow the events of an operation until `onEvent({event, data, id})` answers true for the last one, or `signal` is
 * aborted. `query()` is asked each time what to begin with; `onState` is told "live" and "away". Raises Refusal where
 * asking again would be in vain.
 */
export async function lasting(id, { path, query = () => ({}), signal, onEvent, onState = () => {} }) {
  let wait = FIRST_WAIT;
  let over = false;
  while (!signal.aborted && !over) {
    try {
      await stream(id, {
        path,
        query: query(),
        signal,
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
      if (wasGivenUp(error)) return;
      if (error instanceof Refusal && error.status >= 400 && error.status < 500 && error.status !== 429) throw error;
    }
    if (over || signal.aborted) return;
    onState("away");
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}
