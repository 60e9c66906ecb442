// A rule for a fault, begun with a request: the same operation is to go so again.

const NOT_SHOWN = /^\[.*bytes\]$/s;

/** The rule as add-fault takes it: what came is what will come, else the usual refusal, once. */
export function faultOf(exchange, codes) {
  const rule = { operations: [exchange.operation], times: 1 };
  if (exchange.code && codes.includes(exchange.code)) return { ...rule, error: refusal(exchange) };
  if (exchange.upgraded) return { ...rule, drop: true };
  if (exchange.status === undefined) return { ...rule, lost: true };
  if (exchange.status >= 400) return { ...rule, answer: answer(exchange) };
  // What went well is what one wants to see fail.
  if (codes.includes("internal_error")) return { ...rule, error: "internal_error" };
  return codes.length ? { ...rule, error: codes[0] } : { ...rule, lost: true };
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
  const body = exchange.response_body;
  if (body !== undefined && !NOT_SHOWN.test(String(body))) told.body = body;
  return told;
}
