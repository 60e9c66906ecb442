// How long something takes, as people write it, and how far something is away, as people read it.

import { seconds } from "./format.js";

const SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const WORDS = { sec: "s", second: "s", min: "m", minute: "m", hour: "h", day: "d", week: "w" };
const MOMENT = /^(\d{4}-\d{2}-\d{2})(?:[T ]\s*(\d{1,2}:\d{2})(:\d{2}(?:\.\d+)?)?\s*(Z|[+-]\d{2}:\d{2})?)?$/i;
const PARTS = /\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*/gy;

/** "90", "5m", "1h30m" and "2 days" as seconds; null for what is no duration. */
export function secondsOf(text) {
  const small = text.trim().toLowerCase();
  if (/^\d+(\.\d+)?$/.test(small)) return Number(small);
  let found = 0;
  let reached = 0;
  for (const [part, count, word] of small.matchAll(PARTS)) {
    const unit = WORDS[word.length > 1 ? word.replace(/s$/, "") : word] ?? word;
    if (!Object.hasOwn(SECONDS, unit)) return null;
    found += Number(count) * SECONDS[unit];
    reached += part.length;
  }
  return reached === small.length && reached > 0 ? found : null;
}

/**
 * A moment that somebody wrote, as the API takes it; null for what is none. Without an offset it is one of UTC, as all
 * that the console shows; without a time it is the beginning of a day.
 */
export function momentOf(text) {
  const found = MOMENT.exec(text.trim());
  if (!found) return null;
  const [, day, time = "00:00", rest = ":00", offset = "Z"] = found;
  const written = `${day}T${time.padStart(5, "0")}${rest}${offset.toUpperCase()}`;
  return Number.isNaN(Date.parse(written)) ? null : written;
}

/** How far a moment is from another, both in milliseconds: "in 1 h 30 min", "now", "2 min ago". */
export function distance(to, from) {
  const whole = Math.round((to - from) / 1000);
  if (whole === 0) return "now";
  return whole > 0 ? `in ${seconds(whole)}` : `${seconds(-whole)} ago`;
}
