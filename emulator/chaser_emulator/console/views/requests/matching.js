// Which requests a list shows: what the address of the page says, held against each of them.

/** What may be asked for, by the names that list-requests has for it as well. */
const ASKED = [
  "search", "method", "operation", "status_class", "refused", "code", "fault", "account_id", "session_id",
];

/** What only the emulator can look up, as it needs the bodies. */
const IN_BODIES = ["search", "session_id"];

/** The part of an address that chooses requests. */
export function asked(query) {
  return Object.fromEntries(ASKED.filter((name) => query[name]).map((name) => [name, query[name]]));
}

/** What of it has to be looked up. */
export function inBodies(wanted) {
  return Object.fromEntries(IN_BODIES.filter((name) => wanted[name]).map((name) => [name, wanted[name]]));
}

/**
 * A function that says of a request in brief whether it is meant; `found` are the numbers of those that the emulator has
 * found. Those that it keeps no longer are looked through as far as they are known here.
 */
export function matching(wanted, found) {
  const operation = pattern(wanted.operation);
  const fault = pattern(wanted.fault);
  const search = wanted.search?.toLowerCase();
  return (one) =>
    (!wanted.method || one.method === wanted.method) &&
    (!operation || operation.test(one.operation ?? "")) &&
    (!wanted.status_class || statusClass(one) === wanted.status_class) &&
    (wanted.refused !== "true" || isRefused(one)) &&
    (!wanted.code || one.code === wanted.code) &&
    (!fault || (one.fault !== undefined && fault.test(one.fault))) &&
    (!wanted.account_id || one.account_id === wanted.account_id) &&
    (!wanted.session_id || found.has(one.number) || one.path.includes(wanted.session_id)) &&
    (!search || found.has(one.number) || textOf(one).includes(search));
}

/** "2xx" and so on; "none" where nothing was answered. */
const statusClass = (one) => (one.status ? `${Math.floor(one.status / 100)}xx` : "none");

export const isRefused = (one) => one.code !== undefined || (one.status ?? 0) >= 400;

function textOf(one) {
  const words = [`${one.method} ${one.path}`, one.operation, one.code, one.fault, one.request_id, one.account_id];
  return words.join("\n").toLowerCase();
}

/** `*` stands for anything. */
function pattern(text) {
  if (!text) return null;
  return new RegExp(`^${text.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`, "s");
}
