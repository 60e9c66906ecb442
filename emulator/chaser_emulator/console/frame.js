// What is around every page: the menu, whether one hears what happens, the colours, the way out.

import { fill, h } from "./dom.js";
import { ROUTES } from "./routes.js";

const THEME = "chaser.theme";
const COLOURS = { system: "as the system", light: "light", dark: "dark" };
const STATES = { live: "live", connecting: "connecting", away: "not connected, trying again" };

/** The menu, with the page of this path marked. */
export function drawMenu(here) {
  const links = ROUTES.filter((route) => route.menu).map((route) => {
    const inside = here === route.path || (route.path !== "/" && here.startsWith(`${route.path}/`));
    return h("li", null, h("a", { href: `#${route.path}`, "aria-current": inside ? "page" : null }, route.title));
  });
  fill(document.getElementById("pages"), h("ul", null, links));
}

/** Fold the menu away, or unfold it, where there is little room. */
export function fold(closed) {
  document.getElementById("menu").setAttribute("aria-expanded", String(!closed));
  document.body.classList.toggle("menu-open", !closed);
}

export const isFolded = () => !document.body.classList.contains("menu-open");

/** Whether the page hears what happens. */
export function drawStatus(state) {
  fill(document.getElementById("status"), h("span", { class: `dot ${state}`, "aria-hidden": "true" }), STATES[state]);
}

/** The colours, and the way out. */
export function drawTools(forget) {
  const chosen = localStorage.getItem(THEME) ?? "system";
  const options = Object.entries(COLOURS).map(([one, title]) => h("option", { value: one, selected: one === chosen }, title));
  const select = h("select", { id: "colours", onchange: () => paint(select.value) }, options);
  fill(
    document.getElementById("tools"),
    h("div", { class: "field" }, h("label", { for: "colours" }, "Colours"), select),
    h("button", { type: "button", onclick: forget }, "Forget the key"),
  );
}

/** theme.js does the same when the page is opened. */
function paint(chosen) {
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  localStorage.setItem(THEME, chosen);
}
