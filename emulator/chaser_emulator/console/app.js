// The console begins here: the key, the pages and their menu, what the header says, light and dark.

import * as api from "./api.js";
import { notice, tellError } from "./dialog.js";
import { fill, h } from "./dom.js";
import * as live from "./live.js";
import { find, ROUTES } from "./routes.js";

const main = document.getElementById("main");
const menu = document.getElementById("pages");
const THEME = "chaser.theme";
const THEMES = ["system", "light", "dark"];

let leaving = new AbortController();

function drawMenu() {
  const here = find(location.hash)?.route.path ?? "";
  const links = ROUTES.filter((route) => route.menu).map((route) => {
    const inside = route.path === "/" ? here === "/" : here.startsWith(route.path);
    return h("li", null, h("a", { href: `#${route.path}`, "aria-current": inside ? "page" : null }, route.title));
  });
  fill(menu, h("ul", null, links));
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  drawMenu();
  fold(true);
  const found = find(location.hash);
  if (!found) {
    place("Nothing here", h("p", null, "There is no such page. ", h("a", { href: "#/" }, "Overview")));
    return;
  }
  const { route, params, query } = found;
  main.setAttribute("aria-busy", "true");
  try {
    const page = await route.load();
    const node = await page.show({ params, query, signal });
    if (!signal.aborted) place(route.title, node);
  } catch (error) {
    if (signal.aborted || api.wasGivenUp(error)) return;
    place(route.title, h("p", { class: "problem", role: "alert" }, error.message));
    if (!(error instanceof api.Refusal)) console.error(error);
  } finally {
    if (!signal.aborted) main.removeAttribute("aria-busy");
  }
}

function place(title, node) {
  document.title = `${title} · Chaser emulator`;
  const heading = node.querySelector?.("h1") ? null : h("h1", null, title);
  fill(main, heading, node);
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function fold(closed) {
  document.getElementById("menu").setAttribute("aria-expanded", String(!closed));
  document.body.classList.toggle("menu-open", !closed);
}

function theme(chosen) {
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  localStorage.setItem(THEME, chosen);
}

function drawTools() {
  const chosen = localStorage.getItem(THEME) ?? "system";
  theme(chosen);
  const options = THEMES.map((one) => h("option", { value: one, selected: one === chosen }, one));
  const select = h("select", { "aria-label": "Colours", onchange: () => theme(select.value) }, options);
  const forget = () => {
    api.keep(null);
    begin();
  };
  fill(
    document.getElementById("tools"),
    select,
    h("button", { type: "button", class: "quiet", onclick: forget }, "Forget the key"),
  );
}

const STATES = { live: "live", connecting: "connecting", away: "not connected" };

function drawStatus(state) {
  fill(document.getElementById("status"), h("span", { class: `dot ${state}`, "aria-hidden": "true" }), STATES[state]);
}

function askForKey(problem) {
  live.stop();
  leaving.abort();
  document.body.classList.add("locked");
  const input = h("input", {
    id: "key", type: "password", autocomplete: "off", spellcheck: "false", "aria-required": "true",
    "aria-describedby": "key-hint",
  });
  const enter = async (event) => {
    event.preventDefault();
    api.keep(input.value.trim());
    await begin();
  };
  const form = h(
    "form",
    { class: "form card key", onsubmit: enter },
    h("h1", null, "Open the console"),
    problem ? h("p", { class: "problem", role: "alert" }, problem) : null,
    h(
      "div",
      { class: "field" },
      h("label", { for: "key" }, "Key of the emulator"),
      input,
      h("p", { class: "hint", id: "key-hint" }, "It was printed when the emulator started, as CHASER_API_KEY. It is kept in this tab only."),
    ),
    h("div", { class: "actions" }, h("button", { class: "primary" }, "Open")),
  );
  document.title = "Chaser emulator";
  fill(main, form);
  input.focus();
}

async function begin() {
  if (!api.key()) {
    askForKey();
    return;
  }
  try {
    await api.learn();
  } catch (error) {
    const isKey = error.status === 401 || error.status === 403;
    if (isKey) api.keep(null);
    askForKey(isKey ? "That is not the key of this emulator." : error.message);
    return;
  }
  document.body.classList.remove("locked");
  live.start();
  await show();
}

api.onKeyLost(() => {
  if (document.body.classList.contains("locked")) return;
  api.keep(null);
  askForKey("The key is no longer known here.");
});

document.getElementById("menu").addEventListener("click", () => fold(document.body.classList.contains("menu-open")));
addEventListener("hashchange", () => {
  if (api.key()) show();
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  tellError(event.reason);
});
addEventListener("error", (event) => notice(event.message, "bad"));

drawTools();
live.watchState(drawStatus);
begin();
