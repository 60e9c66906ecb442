// A tree of folders: each is asked for when it is opened, only the rows in sight are in the page, and keys walk it.

import { freshId, h } from "./dom.js";
import { bytes } from "./format.js";

const ROW = 30;
const SPARE = 10;
const TYPED_TOGETHER = 700;

/**
 * A tree with a name, `label`. `children(path)` answers {entries: [{path, kind, size}], truncated} of a folder ("" is
 * the root, which is called `root`); `choose(row)` is told of a file that is to be shown, `moved(row)` where one is
 * now, and `dropped(folder, dataTransfer)` of what was dropped.
 *
 * It is {node, refresh(), at(), find(path)}: `at` answers the row where one is.
 */
export function tree({ label, root, children, choose, moved = () => {}, dropped = null }) {
  const folders = new Map();
  const opened = new Set([""]);
  const id = freshId("tree");
  let rows = [];
  let here = "";
  let chosen = null;
  let round = 0;
  let drawn = new Map();
  let typed = { text: "", at: 0 };

  const inner = h("div", { role: "none", class: "tree-rows" });
  const node = h(
    "div",
    { role: "tree", class: "tree", tabindex: 0, "aria-label": label, id, onkeydown: press, onscroll: () => draw() },
    inner,
  );
  new ResizeObserver(() => draw()).observe(node);
  if (dropped) takeDrops();

  function flatten() {
    rows = [];
    add({ path: "", name: root, kind: "directory", size: null }, 1, 0, 1);
    // What has gone, a note too, leaves one at the folder that it was in.
    while (here && !rows.some((row) => row.path === here)) here = parentOf(here.replace("\0", "/"));
  }

  function add(entry, level, at, of) {
    const open = entry.kind === "directory" && opened.has(entry.path);
    rows.push({ ...entry, level, at, of, open });
    if (!open) return;
    const inside = folders.get(entry.path);
    if (!inside) note(entry.path, level + 1, "loading …");
    else if (inside.problem) note(entry.path, level + 1, inside.problem, "problem");
    else if (!inside.entries.length) note(entry.path, level + 1, "empty");
    else {
      inside.entries.forEach((one, index) => {
        const path = join(entry.path, one.path);
        add({ path, name: one.path, kind: one.kind, size: one.size ?? null }, level + 1, index, inside.entries.length);
      });
      if (inside.truncated) note(entry.path, level + 1, `There is more than these ${inside.entries.length} entries.`);
    }
  }

  function note(path, level, text, kind = "soft") {
    rows.push({ path: `${path}\0note`, name: text, kind: "note", level, at: 0, of: 1, look: kind });
  }

  function draw() {
    const first = Math.max(0, Math.floor(node.scrollTop / ROW) - SPARE);
    const last = Math.min(rows.length, Math.ceil((node.scrollTop + node.clientHeight) / ROW) + SPARE);
    inner.style.setProperty("height", `${rows.length * ROW}px`);
    const wanted = new Map();
    for (let at = first; at < last; at += 1) {
      const row = rows[at];
      const as = JSON.stringify([row, at, row.path === here, row.path === chosen]);
      // Two names that are no UTF-8 may be shown alike.
      const key = `${row.path}\0${row.at}`;
      const old = drawn.get(key);
      // What has not changed stays the element that it is: it may be under a finger that has not been lifted yet.
      wanted.set(key, old?.as === as ? old : { as, element: rowOf(row, at) });
    }
    for (const [path, one] of drawn) if (wanted.get(path) !== one) one.element.remove();
    let before = null;
    for (const { element } of [...wanted.values()].reverse()) {
      if (element.parentNode !== inner || element.nextSibling !== before) inner.insertBefore(element, before);
      before = element;
    }
    drawn = wanted;
    const active = rows.findIndex((row) => row.path === here);
    if (active >= first && active < last) node.setAttribute("aria-activedescendant", `${id}-${active}`);
    else node.removeAttribute("aria-activedescendant");
  }

  function rowOf(row, at) {
    const isFolder = row.kind === "directory";
    const element = h(
      "div",
      {
        role: "treeitem", id: `${id}-${at}`, class: `tree-row ${row.kind} ${row.look ?? ""}`,
        "aria-level": row.level, "aria-posinset": row.at + 1, "aria-setsize": row.of,
        "aria-expanded": isFolder ? String(row.open) : null,
        "aria-selected": String(row.path === chosen),
        "aria-label": row.kind === "note" ? null : spoken(row),
        "data-here": row.path === here ? "" : null,
        onclick: () => click(row),
      },
      h("span", { class: "tree-mark", "aria-hidden": "true" }, isFolder ? (row.open ? "▾" : "▸") : ""),
      h("span", { class: "tree-name" }, row.kind === "note" ? row.name : h("bdi", null, plainName(row.name))),
      row.kind === "file" ? h("span", { class: "tree-size" }, bytes(row.size)) : null,
      KINDS[row.kind] ? h("span", { class: "tree-size" }, KINDS[row.kind]) : null,
    );
    element.style.setProperty("transform", `translateY(${at * ROW}px)`);
    element.style.setProperty("--level", row.level - 1);
    if (dropped && row.kind !== "note") element.dataset.folder = isFolder ? row.path : parentOf(row.path);
    return element;
  }

  /** Draw what there is now; the row where one is stays in its place, whatever has come above it. */
  function redraw() {
    const before = rows.findIndex((row) => row.path === here);
    const wasSeen = before * ROW >= node.scrollTop && before * ROW < node.scrollTop + node.clientHeight;
    flatten();
    const by = rows.findIndex((row) => row.path === here) - before;
    if (before >= 0 && wasSeen && by) {
      inner.style.setProperty("height", `${rows.length * ROW}px`);
      node.scrollTop += by * ROW;
    }
    draw();
  }

  async function load(path) {
    try {
      folders.set(path, await children(path));
    } catch (error) {
      if (error?.name === "AbortError") return;
      folders.set(path, { entries: [], truncated: false, problem: error.message });
    }
    redraw();
  }

  function toggle(row, open = !row.open) {
    if (row.kind !== "directory" || open === row.open) return;
    if (open) opened.add(row.path);
    else opened.delete(row.path);
    redraw();
    // What was seen a while ago may have changed.
    if (open) load(row.path);
  }

  function go(at) {
    const row = rows[Math.max(0, Math.min(rows.length - 1, at))];
    here = row.path;
    const top = rows.indexOf(row) * ROW;
    if (top < node.scrollTop) node.scrollTop = top;
    else if (top + ROW > node.scrollTop + node.clientHeight) node.scrollTop = top + ROW - node.clientHeight;
    draw();
    moved(row);
  }

  function act(row) {
    if (row.kind === "directory") toggle(row);
    else if (row.kind !== "note") {
      chosen = row.path;
      draw();
      choose(row);
    }
  }

  function click(row) {
    go(rows.findIndex((one) => one.path === row.path));
    act(row);
  }

  function press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = rows.findIndex((row) => row.path === here);
    const row = rows[at];
    const page = Math.max(1, Math.floor(node.clientHeight / ROW) - 1);
    const moves = {
      ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1, PageDown: at + page, PageUp: at - page,
    };
    if (event.key in moves) go(moves[event.key]);
    else if (event.key === "ArrowRight") {
      if (row.kind === "directory" && row.open) go(at + 1);
      else toggle(row, true);
    } else if (event.key === "ArrowLeft") {
      if (row.kind === "directory" && row.open) toggle(row, false);
      else if (at > 0) go(rows.findLastIndex((one, index) => index < at && one.level < row.level));
    } else if (event.key === "Enter" || event.key === " ") act(row);
    else if (event.key.length === 1) type(event.key, at);
    else return;
    if (event.key.length > 1) typed.at = -Infinity;
    event.preventDefault();
  }

  /** Go to the next row whose name begins with what is typed in one go. */
  function type(letter, at) {
    const now = performance.now();
    typed = { text: (now - typed.at < TYPED_TOGETHER ? typed.text : "") + letter.toLowerCase(), at: now };
    const start = typed.text.length === 1 ? at + 1 : at;
    const order = [...rows.keys()].map((index) => (index + start) % rows.length);
    const fits = (row) => row.kind !== "note" && row.name.toLowerCase().startsWith(typed.text);
    const found = order.find((index) => fits(rows[index]));
    if (found !== undefined) go(found);
  }

  /** Ask again for all that is open. */
  async function refresh() {
    round += 1;
    const mine = round;
    const seen = [...opened].filter((path) => isInSight(path));
    const found = await Promise.all(
      seen.map((path) => children(path).catch((error) => ({ entries: [], truncated: false, problem: error.message }))),
    );
    if (mine !== round) return;
    folders.clear();
    seen.forEach((path, at) => folders.set(path, found[at]));
    for (const path of opened) if (path && !isInSight(path)) opened.delete(path);
    redraw();
  }

  function isInSight(path) {
    return path === "" || (opened.has(parentOf(path)) && isInSight(parentOf(path)));
  }

  function takeDrops() {
    let over = null;
    const mark = (folder) => {
      if (over === folder) return;
      over = folder;
      node.classList.toggle("dropping", folder !== null);
      const isOver = (one) => folder !== null && one.dataset.folder === folder;
      for (const one of inner.children) one.toggleAttribute("data-drop", isOver(one));
    };
    node.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      mark(event.target.closest("[data-folder]")?.dataset.folder ?? "");
    });
    node.addEventListener("dragleave", (event) => {
      if (!node.contains(event.relatedTarget)) mark(null);
    });
    node.addEventListener("drop", (event) => {
      event.preventDefault();
      const folder = over ?? "";
      mark(null);
      dropped(folder, event.dataTransfer);
    });
  }

  redraw();
  load("");
  return {
    node,
    refresh,
    at: () => rows.find((row) => row.path === here),
    find: (path) => rows.find((row) => row.path === path),
  };
}

const KINDS = { symlink: "link", other: "special" };
const SPOKEN = { directory: "folder", symlink: "link", other: "neither file nor folder" };

function spoken(row) {
  return `${plainName(row.name)}, ${SPOKEN[row.kind] ?? bytes(row.size)}`;
}

/** The path of a name in a folder. */
export const join = (folder, name) => (folder ? `${folder}/${name}` : name);

/** The folder of a path; that of the root is the root. */
export const parentOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/** A name as it can be shown: control characters, and those that turn the direction of text, are written out. */
export function plainName(name) {
  return name.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (one) => {
    const code = one.charCodeAt(0);
    return SHORT[one] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`);
  });
}

const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\u001b": "\\e" };
