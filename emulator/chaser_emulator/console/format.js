// How values are written for people.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 1536 -> "1.5 KiB" */
export function bytes(count) {
  if (count === null || count === undefined) return "unknown";
  let unit = 0;
  let value = count;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** "2026-03-01T12:00:00.000000Z" -> "2026-03-01 12:00:00", in UTC as the API says it. */
export function time(timestamp) {
  return timestamp ? timestamp.slice(0, 19).replace("T", " ") : "";
}

/** "2026-03-01T12:00:00.000000Z" -> "12:00:00" */
export function clockOf(timestamp) {
  return timestamp ? timestamp.slice(11, 19) : "";
}

/** 75 -> "1 min 15 s" */
export function seconds(count) {
  if (count === null || count === undefined) return "";
  const tenths = Math.round(count * 10) / 10;
  if (tenths < 60) return `${tenths} s`;
  const whole = Math.round(count);
  const parts = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor((whole % 86400) / 3600), "h"],
    [Math.floor((whole % 3600) / 60), "min"],
    [whole % 60, "s"],
  ];
  return parts.filter(([value]) => value).slice(0, 2).map(([value, unit]) => `${value} ${unit}`).join(" ");
}

/** 1234 -> "$12.34" */
export function cents(count) {
  if (count === null || count === undefined) return "";
  return `${count < 0 ? "-" : ""}$${(Math.abs(count) / 100).toFixed(2)}`;
}

/** 0.1234 -> "0.12 ms" */
export function milliseconds(count) {
  return `${count < 10 ? count.toFixed(2) : Math.round(count)} ms`;
}

/** 1, "step" -> "1 step"; 1500, "step" -> "1,500 steps" */
export const counted = (many, word) => `${many.toLocaleString("en")} ${word}${many === 1 ? "" : "s"}`;

/** The beginning of an id, which is enough to recognize it. */
export const short = (id) => (id && id.length > 13 ? id.slice(0, 8) : (id ?? ""));

/** JSON as people read it; a text as it is. */
export const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
