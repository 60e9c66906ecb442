// A table of any length: only the rows in sight are in the page, and more are asked for as they come into sight.

import { tellError } from "./dialog.js";
import { fill, h } from "./dom.js";

const ROW = 44;
const ROW_NARROW = 64;
const SPARE = 8;
const NARROW = "(max-width: 640px)";

/**
 * A table with a name, `label`, and `columns` of {title, render(row), width, numeric, minor}: `render` answers a text or a
 * node, `width` is a track of a CSS grid ("8rem", "1fr"), and what is `minor` is left out where there is little room.
 *
 * `identify(row)` tells rows from each other. With `next(rows)`, an asynchronous function, more rows come as one scrolls:
 * it answers {rows, done, total}. `empty` is what is said when there are none. `link(row)` is the address that the first
 * column leads to, or `act(row)` what a click there does.
 *
 * It is {node, set(rows), prepend(rows), refresh(), rows()}.
 */
export function table({ label, columns, identify = (row) => row.id, next, empty = "Nothing here yet.", link, act, most }) {
  const narrow = matchMedia(NARROW);
  let rows = [];
  let total = null;
  let done = !next;
  let asking = null;
  let shown = new Map();

  const head = h(
    "div",
    { role: "row", class: "row head", "aria-rowindex": 1 },
    columns.map((column) => h("div", { role: "columnheader", class: classOf(column) }, column.title)),
  );
  const body = h("div", { role: "rowgroup", class: "rows" });
  const grid = h("div", { role: "table", "aria-label": label }, h("div", { role: "rowgroup" }, head), body);
  const window_ = h("div", { class: "window", tabindex: 0, role: "region", "aria-label": `${label}, scrollable` }, grid);
  const nothing = h("p", { class: "empty", hidden: true }, empty);
  const count = h("p", { class: "count soft", role: "status" });
  const node = h("div", { class: "table" }, window_, nothing, count);
  node.style.setProperty("--columns", columns.map((column) => column.width ?? "1fr").join(" "));
  node.style.setProperty(
    "--columns-narrow",
    columns.filter((column) => !column.minor).map((column) => column.narrow ?? "1fr").join(" "),
  );

  const height = () => (narrow.matches ? ROW_NARROW : ROW);

  function draw() {
    const each = height();
    const first = Math.max(0, Math.floor(window_.scrollTop / each) - SPARE);
    const last = Math.min(rows.length, Math.ceil((window_.scrollTop + window_.clientHeight) / each) + SPARE);
    body.style.setProperty("height", `${rows.length * each}px`);
    const wanted = new Map();
    for (let at = first; at < last; at += 1) {
      const row = rows[at];
      const id = identify(row);
      const old = shown.get(id);
      const element = old && old.row === row ? old.element : rowOf(row);
      element.style.setProperty("transform", `translateY(${at * each}px)`);
      element.setAttribute("aria-rowindex", at + 2);
      wanted.set(id, { row, element });
    }
    const focused = body.contains(document.activeElement) ? document.activeElement.closest(".row")?.dataset.id : null;
    for (const [id, one] of shown) if (wanted.get(id)?.element !== one.element) one.element.remove();
    let before = null;
    for (const { element } of [...wanted.values()].reverse()) {
      if (element.parentNode !== body || element.nextSibling !== before) body.insertBefore(element, before);
      before = element;
    }
    shown = wanted;
    if (focused && wanted.has(focused) && !body.contains(document.activeElement)) {
      wanted.get(focused).element.querySelector("a, button")?.focus({ preventScroll: true });
    }
    if (!done && last >= rows.length - SPARE && window_.clientHeight > 0) more();
  }

  function rowOf(row) {
    const cells = columns.map((column, at) => {
      let content = column.render(row);
      if (at === 0 && link) content = h("a", { href: link(row) }, content);
      else if (at === 0 && act) content = h("button", { type: "button", class: "link", onclick: () => act(row) }, content);
      return h("div", { role: "cell", class: classOf(column) }, content);
    });
    return h("div", { role: "row", class: "row", dataset: { id: String(identify(row)) } }, cells);
  }

  function sum() {
    const known = done ? rows.length : total;
    grid.setAttribute("aria-rowcount", known === null ? -1 : known + 1);
    const none = done && rows.length === 0;
    nothing.hidden = !none;
    window_.hidden = none;
    fill(count, none ? "" : known === null ? `${rows.length} shown, there are more` : `${known} in all`);
  }

  function redraw() {
    sum();
    draw();
  }

  async function more() {
    if (asking) return;
    asking = next(rows);
    try {
      const page = await asking;
      const known = new Set(rows.map(identify));
      rows = rows.concat(page.rows.filter((row) => !known.has(identify(row))));
      done = page.done;
      total = page.total ?? null;
    } catch (error) {
      done = true;
      tellError(error);
    }
    asking = null;
    redraw();
  }

  /** Ask again for as many rows as there were; what was in sight stays in sight. */
  async function refresh() {
    if (!next) return;
    if (asking) await asking.catch(() => {});
    const many = rows.length;
    let fresh = [];
    try {
      for (;;) {
        const page = await next(fresh);
        fresh = fresh.concat(page.rows);
        done = page.done;
        total = page.total ?? null;
        if (done || fresh.length >= many) break;
      }
    } catch (error) {
      tellError(error);
      return;
    }
    rows = fresh;
    redraw();
  }

  function set(given) {
    rows = given;
    total = given.length;
    redraw();
  }

  function prepend(given) {
    const each = height();
    const inSight = window_.scrollTop > each;
    rows = given.concat(rows);
    if (most && rows.length > most) rows = rows.slice(0, most);
    sum();
    if (inSight) {
      body.style.setProperty("height", `${rows.length * each}px`);
      window_.scrollTop += given.length * each;
    }
    draw();
  }

  let asked = 0;
  const soon = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      draw();
    });
  };
  window_.addEventListener("scroll", soon, { passive: true });
  new ResizeObserver(soon).observe(window_);
  if (next) more();
  return { node, set, prepend, refresh, rows: () => rows };
}

function classOf(column) {
  return ["cell", column.numeric && "numeric", column.minor && "minor"].filter(Boolean).join(" ");
}
