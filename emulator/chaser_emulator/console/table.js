// A table of any length: only the rows in sight are in the page, and more are asked for as they come into sight.

import { wasGivenUp } from "./api.js";
import { fill, h } from "./dom.js";
import { gently } from "./gently.js";
import { filterBox, stepOf, textOf } from "./rows.js";

const ROW = 44;
const ROW_NARROW = 64;
const SPARE = 8;
const NARROW = "(max-width: 1080px)";
/** Rows above those in sight that are asked for anew when something has changed. */
const FRESH = 200;

/**
 * A table with a name, `label`, and `columns` of {title, told, render(row), width, numeric, minor}: `render` answers a text or
 * a node, `told` is what a column without a title is called where it is heard, `width` is a track of a CSS grid ("8rem",
 * "1fr"), and what is `minor` is left out where there is little room.
 *
 * `identify(row)` tells rows from each other. With `next(rows)`, an asynchronous function, more rows come as one scrolls:
 * it answers {rows, done, total}. `empty` is what is said when there are none. `link(row)` is the address that the first
 * column leads to, or `act(row)` what a click there does. `filter` offers a box that leaves the rows in which all words
 * that are typed occur: true, or a function that answers the text of a row. `most` is how many rows are kept of those
 * that are prepended.
 *
 * Where the page itself says how many there are, `counted` is false.
 *
 * It is {node, set(rows), settle(rows), put(rows, total), prepend(rows), refresh(), redraw(), rows()}. What a cell shows
 * follows from its row: where it does not, `redraw` makes all cells anew.
 */
export function table({
  label, columns, identify = (row) => row.id, next, empty = "Nothing here yet.", link, act, most, filter, counted = true,
}) {
  const narrow = matchMedia(NARROW);
  const idOf = (row) => String(identify(row));
  let rows = [];
  let fitting = rows;
  let words = [];
  let total = null;
  let done = !next;
  let old = 0;
  let asking = null;
  let failure = null;
  let shown = new Map();

  const head = h(
    "div",
    { role: "row", class: "row head", "aria-rowindex": 1 },
    columns.map((column) => h("div", { role: "columnheader", class: classOf(column) }, titleOf(column))),
  );
  const body = h("div", { role: "rowgroup", class: "rows" });
  const grid = h("div", { role: "table", "aria-label": label }, h("div", { role: "rowgroup" }, head), body);
  const window_ = h("div", { class: "window", tabindex: 0, role: "region", "aria-label": `${label}, scrollable` }, grid);
  const nothing = h("p", { class: "empty", hidden: true });
  const count = h("p", { class: "count soft", role: "status" });
  const trouble = h("div", { class: "trouble", role: "alert", hidden: true });
  const box = filter ? filterBox(label, sift) : null;
  const node = h("div", { class: "table" }, box, window_, nothing, trouble, count);
  node.style.setProperty("--columns", columns.map((column) => column.width ?? "1fr").join(" "));
  node.style.setProperty(
    "--columns-narrow",
    columns.filter((column) => !column.minor).map((column) => column.narrow ?? "1fr").join(" "),
  );

  const height = () => (narrow.matches ? ROW_NARROW : ROW);

  function inSight() {
    const each = height();
    const first = Math.floor(window_.scrollTop / each);
    const last = first + Math.ceil(window_.clientHeight / each);
    return { first: Math.max(0, first - SPARE), last: Math.min(fitting.length, last + SPARE) };
  }

  function draw() {
    const each = height();
    const { first, last } = inSight();
    body.style.setProperty("height", `${fitting.length * each}px`);
    const focus = focusNow();
    const wanted = new Map();
    const want = (at) => {
      const row = fitting[at];
      const id = idOf(row);
      const before = shown.get(id);
      const one = before?.row === row ? before : { row, element: rowOf(row, id), at: null };
      if (one.at !== at) {
        one.at = at;
        one.element.style.setProperty("transform", `translateY(${at * each}px)`);
        one.element.setAttribute("aria-rowindex", at + 2);
      }
      wanted.set(id, one);
    };
    // What has the focus keeps it, wherever one has scrolled.
    const held = focus ? fitting.findIndex((row) => idOf(row) === focus.id) : -1;
    if (held >= 0 && held < first) want(held);
    for (let at = first; at < last; at += 1) want(at);
    if (held >= last) want(held);
    for (const [id, one] of shown) if (wanted.get(id)?.element !== one.element) one.element.remove();
    let after = null;
    for (const { element } of [...wanted.values()].reverse()) {
      if (element.parentNode !== body || element.nextSibling !== after) body.insertBefore(element, after);
      after = element;
    }
    shown = wanted;
    if (focus && !body.contains(document.activeElement)) refocus(focus);
    if (first < old) refresh();
    else if (!done && !failure && last >= fitting.length - SPARE && window_.isConnected) more();
  }

  /** Where the focus is: in which row, and on which of what can have it there. */
  function focusNow() {
    const element = body.contains(document.activeElement) ? document.activeElement.closest(".row") : null;
    return element && { id: element.dataset.id, at: reachable(element).indexOf(document.activeElement) };
  }

  function refocus({ id, at }) {
    const element = shown.get(id)?.element;
    const found = element && reachable(element);
    (found?.[at] ?? found?.[0] ?? window_).focus({ preventScroll: true });
  }

  function rowOf(row, id) {
    const cells = columns.map((column, at) => {
      let content = column.render(row);
      if (at === 0 && link) content = h("a", { href: link(row) }, content);
      else if (at === 0 && act) content = h("button", { type: "button", class: "link", onclick: () => act(row) }, content);
      return h("div", { role: "cell", class: classOf(column) }, content);
    });
    return h("div", { role: "row", class: "row", dataset: { id } }, cells);
  }

  function sum() {
    const sifted = words.length > 0;
    const known = done ? rows.length : total;
    const none = fitting.length === 0 && !failure;
    grid.setAttribute("aria-rowcount", sifted ? fitting.length + 1 : known === null ? -1 : known + 1);
    nothing.hidden = !none;
    window_.hidden = none || fitting.length === 0;
    fill(nothing, !none ? null : !done ? "Loading…" : sifted ? `None of ${rows.length} has these words.` : empty);
    trouble.hidden = !failure;
    const retry = h("button", { type: "button", onclick: again }, "Try again");
    fill(trouble, failure ? [h("p", { class: "problem" }, failure), retry] : null);
    const all = known === null ? `${rows.length} shown, there are more` : `${known} in all`;
    const said = none || failure || !counted ? "" : sifted ? `${fitting.length} of ${all}` : all;
    if (count.textContent !== said) fill(count, said);
  }

  function redraw() {
    fit();
    draw();
  }

  /** Find the rows that are to be shown, and say how many there are. */
  function fit() {
    fitting = words.length ? rows.filter((row) => words.every((word) => textOf(row, filter).includes(word))) : rows;
    sum();
  }

  function sift(given) {
    words = given;
    window_.scrollTop = 0;
    redraw();
  }

  async function more() {
    if (asking) return;
    asking = next(rows);
    try {
      const page = await asking;
      rows = rows.concat(unknown(page.rows, rows));
      done = page.done;
      total = page.total ?? null;
    } catch (error) {
      if (!wasGivenUp(error)) failure = error.message;
      done = done || wasGivenUp(error);
    }
    asking = null;
    redraw();
  }

  const unknown = (found, known) => {
    const ids = new Set(known.map(idOf));
    return found.filter((row) => !ids.has(idOf(row)));
  };

  function again() {
    failure = null;
    window_.focus();
    if (rows.length) refresh();
    else more();
  }

  /** Ask again for what is in sight; it stays there, and what is not is asked for when it comes into sight. */
  const refresh = gently(async () => {
    if (!next) return;
    if (asking) await asking.catch(() => {});
    const { first, last } = inSight();
    // Where rows are left out, those in sight say little of how many there were.
    const kept = words.length ? [] : rows.slice(0, Math.max(0, first - FRESH));
    const enough = words.length ? rows.length : last;
    let fresh = kept;
    let page = null;
    try {
      do {
        page = await next(fresh);
        fresh = fresh.concat(unknown(page.rows, fresh));
      } while (!page.done && fresh.length < enough);
    } catch (error) {
      if (wasGivenUp(error)) return;
      failure = error.message;
      sum();
      return;
    }
    // Cells of rows that are as they were stay as they are.
    const were = new Map(rows.map((row) => [idOf(row), row]));
    rows = fresh.map((row) => (same(row, were.get(idOf(row))) ? were.get(idOf(row)) : row));
    old = kept.length;
    done = page.done;
    total = page.total ?? null;
    failure = null;
    redraw();
  });

  function set(given) {
    rows = given;
    total = given.length;
    failure = null;
    redraw();
  }

  /** Other rows, many of which were there before: what is in sight stays where it is, but for the very top. */
  function settle(given) {
    const each = height();
    const at = Math.floor(window_.scrollTop / each);
    const anchor = at > 0 && fitting[at] ? idOf(fitting[at]) : null;
    rows = given;
    total = given.length;
    failure = null;
    fit();
    const now = anchor === null ? -1 : fitting.findIndex((row) => idOf(row) === anchor);
    if (now >= 0 && now !== at) {
      body.style.setProperty("height", `${fitting.length * each}px`);
      window_.scrollTop += (now - at) * each;
    }
    draw();
  }

  /** Other rows in the place of those that are there, of which more may come; `all` is how many there are, if that is known. */
  function put(given, all = total) {
    rows = given;
    total = all;
    done = !next || (all !== null && rows.length >= all);
    redraw();
  }

  function prepend(given) {
    const each = height();
    const scrolled = window_.scrollTop > each;
    const before = fitting.length;
    rows = given.concat(rows);
    if (most && rows.length > most) rows = rows.slice(0, most);
    if (!scrolled || words.length) {
      redraw();
      return;
    }
    fit();
    body.style.setProperty("height", `${fitting.length * each}px`);
    if (before) window_.scrollTop += given.length * each;
    draw();
  }

  function onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("input, select, textarea")) return;
    const each = height();
    const now = focusNow();
    const here = now ? fitting.findIndex((row) => idOf(row) === now.id) : Math.ceil(window_.scrollTop / each) - 1;
    const page = Math.max(1, Math.floor((window_.clientHeight - head.offsetHeight) / each) - 1);
    const to = stepOf(event.key, here, page, fitting.length);
    if (to === null) return;
    event.preventDefault();
    const top = to * each;
    const room = window_.clientHeight - head.offsetHeight - each;
    if (top < window_.scrollTop) window_.scrollTop = top;
    else if (top > window_.scrollTop + room) window_.scrollTop = top - room;
    draw();
    const element = shown.get(idOf(fitting[to])).element;
    const target = reachable(element)[Math.max(0, now?.at ?? 0)] ?? reachable(element)[0];
    if (!target) element.tabIndex = -1;
    (target ?? element).focus({ preventScroll: true });
  }

  let soon = 0;
  const drawSoon = () => {
    soon ||= requestAnimationFrame(() => {
      soon = 0;
      draw();
    });
  };
  window_.addEventListener("scroll", drawSoon, { passive: true });
  window_.addEventListener("keydown", onKey);
  new ResizeObserver(drawSoon).observe(window_);
  narrow.addEventListener("change", () => {
    shown.forEach((one) => one.element.remove());
    shown = new Map();
    drawSoon();
  });
  sum();
  if (next) more();
  const redrawAll = () => {
    shown.forEach((one) => Object.assign(one, { row: null }));
    redraw();
  };
  return { node, set, settle, put, prepend, refresh, redraw: redrawAll, rows: () => rows };
}

function same(one, other) {
  return other !== undefined && JSON.stringify(one) === JSON.stringify(other);
}

function reachable(element) {
  return [...element.querySelectorAll("a[href], button:not(:disabled), input, select")];
}

/** A column of buttons needs no title to be seen, but one to be heard. */
function titleOf(column) {
  return column.title || h("span", { class: "unseen" }, column.told ?? "Actions");
}

function classOf(column) {
  return ["cell", column.numeric && "numeric", column.minor && "minor"].filter(Boolean).join(" ");
}
