// What workspaces and their snapshots take, as a picture: how much of the cap is used, and by what.

import { call, wasGivenUp } from "../../api.js";
import { fill, h, refill } from "../../dom.js";
import { bytes } from "../../format.js";
import { to } from "../../routes.js";
import { table } from "../../table.js";
import { places } from "../../treemap.js";

const WIDTH = 100;
const HEIGHT = 30;
const MOST = 30;
const MOST_OF_ONE = 10;
const LABELLED = { width: 7, height: 5 };

/**
 * The card with the picture: {node, draw(workspaces, signal)}, where `draw` answers what each takes, by its id, or null
 * where that cannot be known.
 */
export function storageCard() {
  const content = h("div", null, h("p", { class: "soft" }, "Measuring …"));
  const shown = { class: "card storage", "aria-label": "Storage", hidden: true };
  const node = h("section", shown, h("h2", null, "Storage"), content);
  let last = null;

  async function draw(workspaces, signal) {
    node.hidden = !workspaces.length;
    if (!workspaces.length) return new Map();
    try {
      const [found, billing] = await Promise.all([
        call("get-workspace-storage", { signal }),
        // A key that may not see the billing sees the workspaces all the same.
        call("get-billing-summary", { signal }).catch((error) => (wasGivenUp(error) ? Promise.reject(error) : null)),
      ]);
      const mine = new Set(workspaces.map((one) => one.id));
      const shown = found.workspaces.filter((one) => mine.has(one.id));
      const cap = billing?.workspace_storage_cap_bytes ?? null;
      const written = JSON.stringify([shown, cap]);
      if (written !== last) {
        const open = content.querySelector("details")?.open ?? false;
        refill(content, picture(shown, cap));
        content.querySelector("details").open = open;
      }
      last = written;
      return new Map(shown.map((one) => [one.id, one]));
    } catch (error) {
      if (!wasGivenUp(error)) fill(content, h("p", { class: "problem" }, error.message));
      return null;
    }
  }

  return { node, draw };
}

function picture(workspaces, cap) {
  const used = workspaces.reduce((sum, one) => sum + one.total_bytes, 0);
  const unknown = workspaces.filter((one) => one.used_bytes === null).length;
  const share = cap ? used / cap : null;
  const inHundred = share < 0.001 ? "less than 0.1" : (share * 100).toFixed(share < 0.1 ? 1 : 0);
  const percent = used ? ` (${inHundred} %)` : "";
  const text = cap === null ? `${bytes(used)} are used.` : `${bytes(used)} of ${bytes(cap)} are used${percent}.`;
  return [
    h("p", null, text, unknown ? ` The size of ${unknown} of them is not known.` : ""),
    cap === null ? null : meter(share, text),
    used ? map(workspaces) : null,
    asTable(workspaces),
  ];
}

function meter(share, text) {
  const kind = share > 0.95 ? "bad" : share > 0.8 ? "warn" : "";
  // What is used at all is to be seen.
  const width = Math.min(100, Math.max(share > 0 ? 0.4 : 0, share * 100));
  const part = h("div", { class: `share-part ${kind}`, style: { width: `${width}%` } });
  return h("div", { class: "share", role: "img", "aria-label": text }, part);
}

/** Rectangles for what each workspace holds now and for its snapshots; one is told of below while it is pointed at. */
function map(workspaces) {
  const told = h("p", { class: "soft map-told" }, TOLD);
  const tell = (text) => fill(told, text ?? TOLD);
  const sized = largest(workspaces.map((workspace) => ({ workspace, size: workspace.total_bytes })), MOST);
  const outer = places(sized, { width: WIDTH, height: HEIGHT });
  const node = h(
    "div",
    { class: "map", role: "group", "aria-label": "Storage by workspace and snapshot" },
    outer.map(({ item, ...box }) =>
      h(
        "div",
        { class: "plot", style: styleOf(box, { left: 0, top: 0, width: WIDTH, height: HEIGHT }) },
        places(leaves(item), box).map(({ item: one, ...inner }) => leaf(one, inner, box, tell)),
      ),
    ),
  );
  return [node, told];
}

/** Where a box is in another one. */
function styleOf(box, within) {
  return {
    left: `${((box.left - within.left) / within.width) * 100}%`,
    top: `${((box.top - within.top) / within.height) * 100}%`,
    width: `${(box.width / within.width) * 100}%`,
    height: `${(box.height / within.height) * 100}%`,
  };
}

const TOLD = "Areas are as large as what they stand for: strong for what a workspace holds now, faint for a snapshot.";

/** The largest of many things, and one that stands for the others together. */
function largest(items, most) {
  if (items.length <= most) return items;
  const sorted = [...items].sort((one, other) => other.size - one.size);
  const rest = sorted.slice(most - 1);
  const size = rest.reduce((sum, one) => sum + one.size, 0);
  return [...sorted.slice(0, most - 1), { ...rest[0], others: rest.length, size }];
}

function leaves(item) {
  if (item.others) return [item];
  const { workspace } = item;
  const kept = workspace.snapshots.map((one) => ({ workspace, snapshot: one.name, size: one.used_bytes ?? 0 }));
  return largest([{ workspace, snapshot: null, size: workspace.used_bytes ?? 0 }, ...kept], MOST_OF_ONE);
}

function leaf({ workspace, snapshot, others, size }, box, within, tell) {
  const text = others
    ? `${others} ${snapshot === undefined ? "more workspaces" : `more of ${workspace.name}`}: ${bytes(size)}`
    : snapshot === null
      ? `${workspace.name}, now: ${bytes(size)}`
      : `${workspace.name}, snapshot ${snapshot}: ${bytes(size)}`;
  const roomy = box.width >= LABELLED.width && box.height >= LABELLED.height;
  const query = snapshot === null ? {} : { tab: "snapshots" };
  const all = others && snapshot === undefined;
  const href = all ? to("/workspaces") : to("/workspaces/{id}", { id: workspace.id }, query);
  return h(
    "a",
    {
      href,
      class: snapshot === null && !others ? "leaf now" : "leaf", "aria-label": text, title: text,
      style: styleOf(box, within),
      onmouseenter: () => tell(text), onmouseleave: () => tell(), onfocus: () => tell(text), onblur: () => tell(),
    },
    roomy ? h("span", { "aria-hidden": "true" }, others ? `${others} more` : (snapshot ?? workspace.name)) : null,
  );
}

function asTable(workspaces) {
  const rows = workspaces.flatMap((one) => [
    { id: one.id, workspace: one.name, state: "now", size: one.used_bytes },
    ...one.snapshots.map((kept) => ({
      id: `${one.id} ${kept.name}`, workspace: one.name, state: `snapshot ${kept.name}`, size: kept.used_bytes,
    })),
  ]);
  const list = table({
    label: "Storage",
    columns: [
      { title: "Workspace", render: (row) => row.workspace },
      { title: "State", render: (row) => row.state },
      { title: "Bytes on disk", width: "9rem", narrow: "7rem", numeric: true, render: sizeOf },
    ],
  });
  list.set(rows);
  return h("details", null, h("summary", null, "As a table"), list.node);
}

const sizeOf = (row) => (row.size === null ? "unknown" : row.size.toLocaleString("en"));
