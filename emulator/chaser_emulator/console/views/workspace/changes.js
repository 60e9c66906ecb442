// What has changed from a snapshot to now, or to another snapshot: paths in a list, and the lines of one file.

import { call, wasGivenUp } from "../../api.js";
import { fill, freshId, h } from "../../dom.js";
import { bytes, time } from "../../format.js";
import * as live from "../../live.js";
import { badge } from "../../parts.js";
import { to } from "../../routes.js";
import { table } from "../../table.js";
import { plainName } from "../../tree.js";
import { showLines } from "./lines.js";

const HERE = "/workspaces/{id}";
const LISTED = 50_000;
const KINDS = { added: "good", removed: "bad", changed: "warn" };

export async function show({ workspace, query, signal }) {
  const path = { ws: workspace.id };
  const kept = await call("list-workspace-snapshots", { path, signal });
  if (!kept.length) {
    return h(
      "div",
      { class: "card empty" },
      h("p", null, "There is nothing to compare with yet. ",
        h("a", { href: to(HERE, { id: workspace.id }, { tab: "snapshots" }) }, "Keep a snapshot"),
        ", and what changes from then on is shown here."),
    );
  }
  const from = kept.find((one) => one.id === query.from)?.id ?? kept[0].id;
  const until = kept.find((one) => one.id === query.to)?.id;
  const told = h("p", { class: "soft", role: "status" }, "Comparing …");
  const problem = h("p", { class: "problem", role: "alert" });
  const again = h("button", { type: "button", onclick: () => draw() }, "Compare again");
  const list = table({
    label: "Changes",
    identify: (one) => one.path,
    columns: [
      { title: "Path", width: "minmax(0, 1fr)", narrow: "minmax(0, 1fr)", render: pathOf },
      { title: "What", width: "6rem", narrow: "5.5rem", render: (one) => badge(one.change, KINDS[one.change]) },
      { title: "In which respect", width: "minmax(0, 1fr)", minor: true, render: respects },
    ],
    filter: (one) => `${one.path} ${one.change} ${(one.aspects ?? []).join(" ")}`,
    empty: "Nothing differs.",
  });
  list.node.hidden = true;

  function pathOf(one) {
    const text = h("bdi", null, plainName(one.path), (one.after ?? one.before).kind === "directory" ? "/" : "");
    if (one.before?.kind !== "file" && one.after?.kind !== "file") return text;
    const act = () => showLines({ workspace, path: one.path, from, until, names: [from, until ?? "now"] });
    return h("button", { type: "button", class: "link", onclick: act }, text);
  }

  async function draw() {
    again.disabled = true;
    fill(told, "Comparing …");
    fill(problem);
    try {
      const found = await call("diff-workspace", { path, query: { from, to: until, limit: LISTED }, signal });
      list.set(found.changes);
      list.node.hidden = false;
      const cut = found.truncated ? ` The first ${found.changes.length.toLocaleString("en")} are listed.` : "";
      fill(told, inWords(found), cut);
    } catch (error) {
      if (wasGivenUp(error)) return;
      fill(told);
      fill(problem, error.message);
    } finally {
      again.disabled = false;
    }
  }

  draw();
  // What commands write is compared when it is wished: to compare can take long.
  live.changed(["snapshots", "workspace.snapshots"], draw, signal);
  return h("div", null, choices(workspace, kept, from, until, again), told, problem, list.node);
}

function inWords({ added, removed, changed }) {
  if (!added && !removed && !changed) return "Nothing differs.";
  const parts = [[added, "added"], [removed, "removed"], [changed, "changed"]];
  return `${parts.map(([count, word]) => `${count.toLocaleString("en")} ${word}`).join(", ")}.`;
}

/** In which respects something changed, each with what it was and is. */
function respects({ change, aspects = [], before, after }) {
  if (change !== "changed") {
    const one = before ?? after;
    if (one.kind === "symlink") return `link to ${plainName(one.target)}`;
    return one.kind === "file" ? bytes(one.size) : one.kind;
  }
  const said = {
    kind: () => `${before.kind} → ${after.kind}`,
    size: () => `${bytes(before.size)} → ${bytes(after.size)}`,
    content: () => (aspects.includes("size") ? null : "content"),
    mode: () => `mode ${before.mode} → ${after.mode}`,
    target: () => `link to ${plainName(before.target)} → ${plainName(after.target)}`,
  };
  return aspects.map((one) => said[one]()).filter(Boolean).join(", ");
}

/** From which state to which; a choice leads to the address of that comparison. */
function choices(workspace, kept, from, until, again) {
  const ids = [freshId("from"), freshId("to")];
  const named = (one, chosen) =>
    h("option", { value: one.id, selected: one.id === chosen }, `${one.id}, ${time(one.created_at)}`);
  const go = () => {
    const query = { tab: "changes", from: first.value, to: second.value || undefined };
    location.hash = to(HERE, { id: workspace.id }, query);
  };
  const first = h("select", { id: ids[0], onchange: go }, kept.map((one) => named(one, from)));
  const now = h("option", { value: "", selected: !until }, "now");
  const second = h("select", { id: ids[1], onchange: go }, now, kept.map((one) => named(one, until)));
  return h(
    "div",
    { class: "moments" },
    h("div", null, h("label", { for: ids[0] }, "From"), first),
    h("div", null, h("label", { for: ids[1] }, "to"), second),
    again,
  );
}
