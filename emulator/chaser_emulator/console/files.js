// Files wherever they are: a tree of them, what is in one, and a place to drop new ones.

import { wasGivenUp } from "./api.js";
import { confirm } from "./dialog.js";
import { fill, freshId, h } from "./dom.js";
import { filesOfDrop } from "./dropping.js";
import { bytes } from "./format.js";
import { style } from "./parts.js";
import { join, parentOf, plainName, tree } from "./tree.js";
import { viewer } from "./viewer.js";

const NAMED = 5;

/**
 * A node that shows files. `label` names the tree, `root` is what its root is called. All paths are below the root,
 * which is "" itself.
 *
 * - list(path) answers {entries: [{path, kind, size}], truncated} of a folder: an entry's path is its name in there,
 *   its kind "file", "directory", "symlink" or "other".
 * - read(path, signal) answers what is in a file, as a Blob or a Response.
 * - write(path, file, {signal, onProgress}) stores a File; without it nothing can be stored. onProgress(sent, total).
 * - most is how many bytes a file may have that is stored.
 * - follow(refresh) is called once, for who knows when something may have changed.
 * - actions are more buttons for the bar above.
 */
export function filesOf({ label, root = "/", list, read, write, most = Infinity, follow, actions = [], signal }) {
  const shown = viewer({ read, signal });
  const where = h("code", { class: "path" });
  const sending = h("div", { class: "sending", role: "status" });
  const files = tree({
    label,
    root,
    children: list,
    choose: view,
    moved: point,
    dropped: write ? (folder, transfer) => filesOfDrop(transfer).then((found) => store(folder, found)) : null,
  });
  const bar = h(
    "div",
    { class: "files-bar" },
    where,
    h(
      "div",
      { class: "actions" },
      actions,
      write ? picker() : null,
      h("button", { type: "button", onclick: refresh }, "Refresh"),
    ),
  );
  const node = h(
    "div",
    { class: "files", hidden: true },
    bar,
    sending,
    h("div", { class: "files-split" }, files.node, shown.node),
  );
  style("files").then(() => {
    node.hidden = false;
  });
  point();
  follow?.(refresh);
  return node;

  function picker() {
    const id = freshId("upload");
    const input = h("input", {
      type: "file", id, multiple: true, class: "unseen",
      onchange: () => {
        const found = [...input.files].map((file) => ({ path: file.name, file }));
        input.value = "";
        store(folderHere(), found);
      },
    });
    return h("span", { class: "picker" }, input, h("label", { for: id, class: "button" }, "Upload"));
  }

  function folderHere() {
    const row = files.at();
    return !row || row.kind === "note" ? "" : row.kind === "directory" ? row.path : parentOf(row.path);
  }

  function point() {
    const folder = folderHere();
    fill(where, plainName(folder ? `${root.replace(/\/$/, "")}/${folder}` : root));
  }

  async function view(row) {
    await shown.show(row);
    if (matchMedia("(max-width: 860px)").matches) shown.node.scrollIntoView({ block: "start" });
  }

  async function refresh() {
    await files.refresh();
    point();
    const open = shown.shown();
    if (!open) return;
    const now = files.find(open.path);
    if (now) open.size = now.size;
    await shown.again();
  }

  /** Store files in a folder, one after the other, and say how far that is. */
  async function store(folder, found) {
    if (!found.length || !(await mayReplace(folder, found))) return;
    const lines = found.map(({ path, file }) => lineOf(join(folder, path), file));
    fill(sending, h("ul", null, lines.map((line) => line.node)), forgetButton());
    for (const line of lines) {
      if (signal?.aborted) return;
      await line.send();
    }
    await refresh();
  }

  function lineOf(path, file) {
    const progress = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${plainName(path)}` });
    const state = h("span", { class: "soft" }, "waits");
    const line = h("li", null, h("bdi", { class: "name" }, plainName(path)), progress, state);
    const tell = (text, kind) => {
      progress.remove();
      state.className = kind;
      fill(state, text);
    };
    async function send() {
      if (file.size > most) {
        tell(`It has ${bytes(file.size)}; at most ${bytes(most)} can be stored.`, "problem");
        return;
      }
      const onProgress = (sent, total) => {
        progress.value = total ? sent / total : 1;
        fill(state, `${Math.floor((total ? sent / total : 1) * 100)} %`);
      };
      try {
        await write(path, file, { signal, onProgress });
        tell(`stored, ${bytes(file.size)}`, "soft");
      } catch (error) {
        if (!wasGivenUp(error)) tell(error.message, "problem");
      }
    }
    return { node: line, send };
  }

  function forgetButton() {
    return h("button", { type: "button", class: "small", onclick: () => fill(sending) }, "Dismiss");
  }

  async function mayReplace(folder, found) {
    const there = [];
    const listed = new Map();
    for (const { path } of found) {
      const whole = join(folder, path);
      const above = parentOf(whole);
      // A folder that cannot be listed is not there yet, or says why when something is stored.
      if (!listed.has(above)) listed.set(above, await list(above).catch(() => ({ entries: [] })));
      const name = whole.slice(above ? above.length + 1 : 0);
      if (listed.get(above).entries.some((one) => one.path === name && one.kind !== "directory")) there.push(whole);
    }
    if (!there.length) return true;
    const named = there.slice(0, NAMED).map(plainName).join(", ");
    const rest = there.length > NAMED ? ` and ${there.length - NAMED} more` : "";
    return confirm({
      title: there.length === 1 ? "Replace this file?" : `Replace ${there.length} files?`,
      text: `${named}${rest} ${there.length === 1 ? "is" : "are"} there already. What is in there now is lost.`,
      verb: "Replace",
    });
  }
}
