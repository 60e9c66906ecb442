// The requests that a page knows, in brief and newest first: those of the journal, and those that come while it is open.

import { call } from "../../api.js";
import { gently } from "../../gently.js";
import * as live from "../../live.js";

/** Requests that a page keeps; the journal keeps fewer, but in full. */
export const MOST = 10_000;
const OF_THE_JOURNAL = 1000;
const LOOK = 400;

/**
 * Begin to keep them; `changed(numbers)` is called at most once a frame, with the numbers of those that have come or are
 * others than before, null for all. It is {load(), rows(), missed(), oldestKept()}: `missed` is how many passed too
 * quickly, and the journal keeps what is at or above `oldestKept`.
 */
export function keeping({ signal, changed }) {
  let rows = [];
  let coming = [];
  let drawing = false;
  let loading = false;
  let missing = new Set();
  let missed = 0;
  let oldest = 1;

  const load = async () => {
    // What comes from here on may be in the answer or not.
    coming = [];
    loading = true;
    try {
      const { requests } = await call("list-requests", { query: { brief: true, limit: OF_THE_JOURNAL }, signal });
      rows = requests.reverse();
    } finally {
      loading = false;
    }
    oldest = rows.at(-1)?.number ?? 1;
    missing = new Set();
    missed = 0;
    changed(null);
    take();
  };

  /** Look for those that began before others which are over, and are still under way; and for those that were missed. */
  const look = gently(async () => {
    if (!missing.size) return;
    const after = Math.min(...missing) - 1;
    const { requests } = await call("list-requests", { query: { brief: true, limit: OF_THE_JOURNAL, after }, signal });
    const first = requests[0]?.number ?? Infinity;
    for (const number of [...missing]) {
      if (number < first) {
        missing.delete(number);
        missed += 1;
      }
    }
    for (const one of requests) {
      missing.delete(one.number);
      come(one);
    }
  }, signal, LOOK);

  function come(one) {
    coming.push(one);
    if (coming.length > MOST) coming = coming.slice(-MOST);
    if (drawing) return;
    drawing = true;
    // A page that nobody sees has no frames.
    if (document.hidden) setTimeout(take, LOOK);
    else requestAnimationFrame(take);
  }

  /** Put those that have come in their places. */
  function take() {
    drawing = false;
    if (signal.aborted || loading || !coming.length) return;
    const fresh = new Map();
    // Of one that is told of twice, what says that it is over counts.
    for (const one of coming) if (!fresh.get(one.number)?.done) fresh.set(one.number, one);
    coming = [];
    const numbers = new Set(fresh.keys());
    const top = rows[0]?.number ?? Math.min(...numbers) - 1;
    const above = [...fresh.values()].filter((one) => one.number > top).sort((one, other) => other.number - one.number);
    for (const one of above) fresh.delete(one.number);
    if (fresh.size) rows = rows.slice();
    for (const one of fresh.values()) place(one);
    rows = above.concat(rows).slice(0, MOST);
    noteGaps(top, above);
    for (const number of numbers) missing.delete(number);
    oldest = Math.max(oldest, (rows[0]?.number ?? 0) - OF_THE_JOURNAL + 1);
    changed(numbers);
    if (missing.size) look();
  }

  /** Put one among the others, or in the place of what was known of it; those that come late are near the top. */
  function place(one) {
    const found = rows.findIndex((row) => row.number <= one.number);
    const at = found < 0 ? rows.length : found;
    if (rows[at]?.number !== one.number) rows.splice(at, 0, one);
    else if (one.done || !rows[at].done) rows[at] = one;
  }

  function noteGaps(top, above) {
    let next = top + 1;
    for (const { number } of above.toReversed()) {
      // More than the journal keeps are found nowhere.
      const first = Math.max(next, number - OF_THE_JOURNAL);
      missed += first - next;
      for (next = first; next < number; next += 1) missing.add(next);
      next = number + 1;
    }
  }

  const again = gently(load, signal);
  live.on("exchange", come, signal);
  live.on("back", again, signal);
  live.on("control", (told) => told.operation === "clear-requests" && again(), signal);
  return { load: again, rows: () => rows, missed: () => missed, oldestKept: () => oldest };
}
