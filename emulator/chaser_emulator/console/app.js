// The console begins here: the key, and which page is shown.

import * as api from "./api.js";
import { closeAll, notice, tellError } from "./dialog.js";
import { fill, h } from "./dom.js";
import { drawMenu, drawStatus, drawTools, fold, isFolded } from "./frame.js";
import * as live from "./live.js";
import { find } from "./routes.js";
import { drawWhere } from "./where.js";

const ANEW = "chaser.anew";
const ANEW_APART = 60_000;

const main = document.getElementById("main");

let leaving = new AbortController();
let forgetting = new AbortController();
let last = null;

/** Show the page of the address. The focus goes to it, unless it is to stay where it is. */
async function show({ focus = true } = {}) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  live.turn();
  closeAll();
  fold(true);
  const found = find(location.hash);
  drawMenu(found?.route.path ?? "");
  if (!found) {
    place("Nothing here", h("p", null, "There is no such page. ", h("a", { href: "#/" }, "Overview")), focus);
    return;
  }
  const { route, params, query } = found;
  const path = location.hash.split("?")[0];
  const anotherPart = path === last && main.contains(document.activeElement) && document.activeElement.closest(".tabs");
  last = path;
  main.setAttribute("aria-busy", "true");
  try {
    const page = await loaded(route);
    const node = await page.show({ params, query, signal });
    if (signal.aborted) return;
    place(route.title, node, focus);
    if (anotherPart) main.querySelector(".tabs [aria-current]")?.focus();
  } catch (error) {
    if (signal.aborted || api.wasGivenUp(error)) return;
    place(route.title, failed(error), focus);
    if (!(error instanceof api.Refusal)) console.error(error);
  } finally {
    if (!signal.aborted) main.removeAttribute("aria-busy");
  }
}

async function loaded(route) {
  try {
    return await route.load();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // A browser does not ask again for a script that it could not have. Where the emulator answers, it was only that.
    if (await loadAnew()) return new Promise(() => {});
    const text = "This page could not be loaded. Once the emulator answers, load it anew.";
    throw Object.assign(new Error(text, { cause: error }), { anew: true });
  }
}

/** Load the page anew, at most once a minute; answers whether it will be. */
async function loadAnew() {
  const before = Number(sessionStorage.getItem(ANEW) ?? 0);
  if (Date.now() - before < ANEW_APART || !(await api.learn().then(() => true, () => false))) return false;
  sessionStorage.setItem(ANEW, Date.now());
  location.reload();
  return true;
}

function failed(error) {
  const again = error.anew ? () => location.reload() : () => show();
  return h(
    "div",
    null,
    h("p", { class: "problem", role: "alert" }, error.message),
    h("p", null, h("button", { type: "button", onclick: again }, error.anew ? "Load anew" : "Try again")),
  );
}

function place(title, node, focus) {
  document.title = `${title} · Chaser emulator`;
  main.setAttribute("aria-label", title);
  const heading = node.querySelector?.("h1") ? null : h("h1", null, title);
  fill(main, heading, node);
  if (!focus) return;
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function askForKey(problem) {
  live.stop();
  leaving.abort();
  forgetting.abort();
  closeAll();
  document.body.classList.add("locked");
  main.removeAttribute("aria-busy");
  main.removeAttribute("aria-label");
  const input = h("input", {
    id: "key", type: "password", autocomplete: "off", spellcheck: "false", "aria-required": "true",
    "aria-describedby": problem ? "key-problem key-hint" : "key-hint", "aria-invalid": problem ? "true" : null,
  });
  const enter = async (event) => {
    event.preventDefault();
    const given = input.value.trim();
    // What was wrong with the last one still stands.
    if (!given) return;
    api.keep(given);
    await begin();
  };
  const form = h(
    "form",
    { class: "form card key", onsubmit: enter },
    h("h1", null, "Open the console"),
    problem ? h("p", { class: "problem", role: "alert", id: "key-problem" }, problem) : null,
    h(
      "div",
      { class: "field" },
      h("label", { for: "key" }, "Key of the emulator"),
      input,
      h(
        "p",
        { class: "hint", id: "key-hint" },
        "It was printed when the emulator started, as CHASER_API_KEY, and `chaser-emulator env` prints it again. " +
          "It is kept in this tab only.",
      ),
    ),
    h("div", { class: "actions" }, h("button", { class: "primary" }, "Open")),
  );
  document.title = "Chaser emulator";
  fill(main, form);
  input.focus();
}

function forget() {
  api.forget();
  history.replaceState(null, "", "#/");
  askForKey();
}

/** Begin with the key that there is, if there is one. */
async function begin(options) {
  if (!api.key()) {
    askForKey();
    return;
  }
  try {
    await api.learn();
  } catch (error) {
    const isKey = error.status === 401 || error.status === 403;
    if (isKey) api.keep(null);
    askForKey(isKey ? "That is not the key of this emulator, nor of a world in it." : error.message);
    return;
  }
  forgetting.abort();
  forgetting = new AbortController();
  // The form of the key, where it was asked for.
  if (document.body.classList.contains("locked")) fill(main);
  document.body.classList.remove("locked");
  drawWhere(document.getElementById("where"), forgetting.signal, { enter, act });
  await live.start();
  last = null;
  await show(options);
}

/** Go to another world, by its key. */
export async function enter(key) {
  api.keep(key);
  history.pushState(null, "", "#/");
  await begin({ focus: false });
}

/** Act in another account from now on. */
async function act(account) {
  api.account(account);
  await show({ focus: false });
}

let doubting = false;

api.onKeyLost(async () => {
  if (doubting || document.body.classList.contains("locked")) return;
  doubting = true;
  try {
    await api.learn();
  } catch (error) {
    if (error.status !== 401 && error.status !== 403) return;
    api.keep(null);
    askForKey("The key is no longer known here.");
  } finally {
    doubting = false;
  }
});

document.getElementById("menu").addEventListener("click", () => fold(!isFolded()));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", () => {
  if (!document.body.classList.contains("locked")) show();
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  tellError(event.reason);
});
addEventListener("error", (event) => {
  // Which only says that a size will be looked at once more.
  if (!event.message?.startsWith("ResizeObserver")) notice(event.message, "bad");
});

document.documentElement.dataset.begun = "once";
sessionStorage.removeItem("chaser.loaded-anew");
api.guardKey();
drawTools(forget);
live.watchState(drawStatus);
begin();
