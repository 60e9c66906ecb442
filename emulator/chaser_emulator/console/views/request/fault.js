// A rule for a fault, begun with a request: the same operation is to go so again.

const LONGEST = 3600;

/** The rule as add-fault takes it: what came is what will come, else the usual refusal, once. */
export function faultOf(exchange, codes) {
  const rule = { operations: [exchange.operation], times: 1 };
  if (exchange.code && codes.includes(exchange.code)) return { ...rule, error: refusal(exchange) };
  if (exchange.upgraded) return { ...rule, drop: true };
  if (exchange.status === undefined) return { ...rule, lost: true };
  if (exchange.status >= 400) return { ...rule, answer: answer(exchange) };
  const taken = exchange.duration_ms / 1000;
  // What went well is what one wants to see fail.
  return codes.length ? { ...rule, error: codes.includes("internal_error") ? "internal_error" : codes[0] } : { ...rule, latency: Math.min(LONGEST, Math.max(1, Math.round(taken))) };
}

function refusal(exchange) {
  const { message } = exchange.response_body ?? {};
  const wait = Number(exchange.response_headers["retry-after"]);
  const told = { code: exchange.code };
  if (typeof message === "string" && message) told.message = message;
  if (exchange.code === "rate_limited" && Number.isInteger(wait)) told.retry_after = wait;
  return told;
}

function answer(exchange) {
  const type = exchange.response_headers["content-type"];
  const told = { status: exchange.status };
  if (type) told.headers = { "Content-Type": type };
  if (exchange.response_body !== undefined && !/^\[.*bytes\]$/s.test(String(exchange.response_body))) told.body = exchange.response_body;
  return told;
}
