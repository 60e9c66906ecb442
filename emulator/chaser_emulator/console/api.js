// The public API and the control plane, asked by operationId: paths and methods come from the documents.

const KEY = "chaser.key";
const ACCOUNT = "chaser.account";
const FORGOTTEN = "chaser.forgotten";
const AT_A_STRETCH = 24;
const AGAIN = 2;
const AGAIN_APART = 150;
const UNKNOWN = "No answer came, so nobody knows whether this was done. See before you send it again.";
const ROOT = new URL("../", document.baseURI);

let operations = new Map();
let lost = () => {};
const keyWatchers = new Set();

/**
 * A refusal, or an answer that never came (status 0). Its message says in plain words what happened, `said` is what the
 * emulator said of it. `problems` are those of single fields: {in, pointer, message}.
 */
export class Refusal extends Error {
  constructor(status, body, requestId, wait) {
    super(inWords(status, body?.message, requestId, wait));
    this.status = status;
    this.said = body?.message ?? null;
    this.code = body?.code ?? null;
    this.details = body?.details ?? null;
    this.problems = Array.isArray(this.details) ? this.details.filter((one) => one?.message) : [];
    this.requestId = requestId ?? body?.request_id ?? null;
  }
}

/** What happened, and where there is something to do, what. */
function inWords(status, message, requestId, wait) {
  const said = message?.replace(/\.$/, "");
  if (status === 0) return message ?? "The emulator does not answer. Once it runs again, this goes on.";
  if (status === 401) return `The key is not accepted for this: ${said ?? "it is not known here"}.`;
  if (status === 403) return `This is not allowed: ${said ?? "no reason is given"}.`;
  if (status === 404) return `This is not there: ${said ?? "there is nothing at that address"}.`;
  if (status === 429) {
    const when = wait ? `in ${wait} s` : "in a while";
    return `Too much was asked for: ${said ?? "there is a limit"}. Try again ${when}.`;
  }
  if (status >= 500) {
    const log = requestId ? ` Its log says more, under ${requestId}.` : "";
    return `The emulator could not do it (${status}): ${said ?? "it does not say why"}.${log}`;
  }
  return said ? said.charAt(0).toUpperCase() + said.slice(1) : `The emulator answered ${status}.`;
}

/** What is called when the key seems not to be one any more. */
export function onKeyLost(listener) {
  lost = listener;
}

/** What is called when this tab has another key, or none. */
export function onKeyChanged(listener) {
  keyWatchers.add(listener);
}

/** The key that this tab has, or null. */
export const key = () => sessionStorage.getItem(KEY);

/**
 * Let no other page have the key: previews of sandboxes by path are of this origin, and the storage of a tab is theirs
 * once one of them is opened in it. While another page is there, the key is with this page's own entry in the history
 * of the tab, which no other page can read; a reload and the way back find it there.
 */
export function guardKey() {
  const take = () => {
    const kept = history.state?.[KEY];
    if (!kept) return;
    const forgotten = Number(sessionStorage.getItem(FORGOTTEN) ?? 0);
    if (kept.at > forgotten) sessionStorage.setItem(KEY, kept.key);
    history.replaceState({ ...history.state, [KEY]: undefined }, "");
  };
  take();
  addEventListener("pageshow", take);
  addEventListener("beforeunload", () => {
    if (key()) history.replaceState({ ...history.state, [KEY]: { key: key(), at: Date.now() } }, "");
  });
  addEventListener("pagehide", () => sessionStorage.removeItem(KEY));
}

/** Keep a key for as long as this tab is open; null forgets it. */
export function keep(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
  account(null);
  for (const watcher of keyWatchers) watcher();
}

/** Forget the key, wherever in this tab it is. */
export function forget() {
  keep(null);
  sessionStorage.setItem(FORGOTTEN, Date.now());
}

/** The account that requests are for: its id, or null for the usual one. With an argument, from now on. */
export function account(id) {
  if (id === undefined) return sessionStorage.getItem(ACCOUNT);
  if (id) sessionStorage.setItem(ACCOUNT, id);
  else sessionStorage.removeItem(ACCOUNT);
  return id;
}

/** Read which operations there are. Raises Refusal, with status 401 or 403 where the key is not the emulator's. */
export async function learn() {
  // A browser sends no such thing, as quotation marks that came with a key.
  if (/[^ -~]/.test(key())) throw new Refusal(401, null);
  const how = { look: true, asksForItself: true, plane: "control" };
  const answer = await send(new URL("_emulator/operations", ROOT), { method: "GET" }, how);
  operations = new Map((await answer.json()).operations.map((one) => [one.id, one]));
}

/** An operation in short: {id, plane, method, path, tag, summary, scope, body, parameters}. */
export function operation(id) {
  const found = operations.get(id);
  if (!found) throw new Error(`no operation ${id}`);
  return found;
}

/** All operations in short. */
export const allOperations = () => [...operations.values()];

/** The address of an operation. `path` and `query` are objects; what is null or undefined in a query is left out. */
export function address(id, { path = {}, query = {} } = {}) {
  const filled = operation(id).path.replace(/\{(\w+)\}/g, (_all, name) => named(path[name]));
  const url = new URL(filled.replace(/^\//, ""), ROOT);
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, one);
    }
  }
  return url;
}

/** A name as a part of an address. Dots alone would lead to another address, however they are written. */
function named(value) {
  const dots = value === "." || value === "..";
  if (dots) throw new Refusal(404, { message: `nothing is called “${value}”`, code: "not_found" });
  return encodeURIComponent(value);
}

/**
 * Ask for an operation, and answer its JSON (null where there is none). Raises Refusal.
 *
 * `body` is JSON, or a FormData, Blob or string that is sent as it is with `type`; `headers` come on top; `as` is "json",
 * "text", "blob" or "response". Reads are marked as looks, so that they leave no trace, unless `trace` is set.
 */
export async function call(id, { path, query, body, type, headers = {}, signal, as = "json", trace = false } = {}) {
  const { method, plane } = operation(id);
  const request = { method, headers: { ...headers }, signal };
  if (body !== undefined) {
    const raw = body instanceof FormData || body instanceof Blob || (typeof body === "string" && type);
    request.body = raw ? body : JSON.stringify(body);
    if (!raw) request.headers["Content-Type"] = "application/json";
    else if (type) request.headers["Content-Type"] = type;
  }
  const answer = await send(address(id, { path, query }), request, { look: method === "GET" && !trace, plane });
  if (as === "response") return answer;
  if (as === "blob") return answer.blob();
  const text = await answer.text();
  if (as === "text") return text;
  return text === "" ? null : JSON.parse(text);
}

/**
 * Send a form with files, and tell how much of it is on its way: onProgress(sent, total). Answers JSON; raises Refusal.
 * (What `fetch` sends cannot be watched.)
 */
export function upload(id, { path, query, form, signal, onProgress }) {
  const request = new XMLHttpRequest();
  request.open(operation(id).method, address(id, { path, query }));
  for (const [name, value] of Object.entries(own())) request.setRequestHeader(name, value);
  return new Promise((resolve, reject) => {
    const stop = () => request.abort();
    signal?.addEventListener("abort", stop, { once: true });
    request.upload.onprogress = (event) => onProgress?.(event.loaded, event.total);
    request.onabort = () => reject(new DOMException("given up", "AbortError"));
    request.onerror = () => reject(new Refusal(0, { message: UNKNOWN }));
    request.onload = () => {
      const body = readable(request.responseText);
      if (request.status >= 200 && request.status < 300) resolve(body);
      else {
        if (request.status === 401) lost();
        reject(new Refusal(request.status, body, request.getResponseHeader("x-request-id")));
      }
    };
    request.onloadend = () => signal?.removeEventListener("abort", stop);
    request.send(form);
  });
}

function readable(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Read Server-Sent Events of an operation: for each, `onEvent({event, data, id})` with data as text. It resolves when the
 * stream ends, or has said nothing for `quiet` milliseconds, and raises Refusal where there is none.
 */
export async function stream(id, { path, query, headers = {}, signal, onEvent, onOpen, quiet }) {
  const { method, plane } = operation(id);
  const request = { method, headers: { Accept: "text/event-stream", ...headers }, signal };
  const answer = await send(address(id, { path, query }), request, { look: true, plane });
  onOpen?.();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = {};
  let rested = performance.now();
  for (;;) {
    if (performance.now() - rested > AT_A_STRETCH) {
      // What has come already is read without a pause, in which the page would draw nothing and hear no key.
      await new Promise((done) => setTimeout(done));
      rested = performance.now();
    }
    const silence = quiet && setTimeout(() => reader.cancel(), quiet);
    // One that has broken off is silent for ever, and is not to be given up once more.
    const { done, value } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data !== undefined) onEvent({ event: event.event ?? "message", data: event.data, id: event.id });
        event = {};
      } else if (!line.startsWith(":")) {
        const [, name, text] = /^([^:]*):? ?(.*)$/s.exec(line);
        event[name] = name === "data" && event.data !== undefined ? `${event.data}\n${text}` : text;
      }
    }
  }
}

/** The address of a WebSocket, which carries the key and the account itself, as a browser can set no header there. */
export function socketAddress(id, { path, query = {} } = {}) {
  const url = address(id, { path, query: { ...query, access_token: key(), account: account() } });
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** Whether an error says no more than that a call was given up, as when its page was left. */
export const wasGivenUp = (error) => error?.name === "AbortError";

function own() {
  const headers = { Authorization: `Bearer ${key() ?? ""}` };
  if (account()) headers["X-Chaser-Account"] = account();
  return headers;
}

async function send(url, request, { look, plane, asksForItself }) {
  const headers = { ...own(), ...(look ? { "X-Chaser-Observer": "console" } : {}), ...request.headers };
  if (plane === "control") delete headers["X-Chaser-Account"];
  const answer = await fetched(url, { ...request, headers, cache: "no-store" });
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => null);
  // Another key is refused as that of no world, so that it may mean nothing here.
  if (!asksForItself && (answer.status === 401 || (answer.status === 403 && plane === "control"))) lost();
  throw new Refusal(answer.status, body, answer.headers.get("x-request-id"), answer.headers.get("retry-after"));
}

/**
 * An answer, of whatever status. What reads is asked for again where it did not get through: a browser gives up what it is
 * about to send when a network of the machine changes, as when a container starts. What changes something may have got
 * through, and is not.
 */
async function fetched(url, request) {
  for (let again = AGAIN; ; again -= 1) {
    try {
      return await fetch(url, request);
    } catch (error) {
      if (wasGivenUp(error)) throw error;
      if (request.method !== "GET") throw new Refusal(0, { message: UNKNOWN });
      if (!again) throw new Refusal(0, null);
      await new Promise((done) => setTimeout(done, AGAIN_APART));
    }
  }
}
