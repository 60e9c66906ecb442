// What became of the world since it began: what was created, changed and deleted.

import { call } from "../../api.js";
import { open } from "../../dialog.js";
import { fill, h } from "../../dom.js";
import { short } from "../../format.js";
import * as live from "../../live.js";
import { badge, copyable } from "../../parts.js";
import { table } from "../../table.js";

const KINDS = { created: "good", changed: "warn", deleted: "bad" };

export async function show({ signal }) {
  const list = table({
    label: "Changes since the world began",
    columns: [
      {
        title: "What",
        render: (one) => [one.collection.replaceAll("_", " "), " ", h("code", null, short(nameOf(one.resource)))],
      },
      { title: "", told: "Kind", width: "7rem", narrow: "5.5rem", render: (one) => badge(one.kind, KINDS[one.kind]) },
      { title: "Fields", minor: true, render: fieldsOf },
    ],
    identify: (one) => `${one.kind} ${one.collection} ${one.resource.id ?? JSON.stringify(one.resource)}`,
    act: (one) => showResource(one),
    empty: "Nothing has changed since the world began.",
  });
  const sum = h("p", { class: "soft", role: "status" });

  async function look() {
    const found = await call("diff-state", { signal });
    const rows = Object.keys(KINDS).flatMap((kind) =>
      Object.entries(found[kind]).flatMap(([collection, all]) => {
        return all.map((resource) => ({ kind, collection, resource }));
      }),
    );
    list.set(rows);
    fill(
      sum,
      Object.keys(KINDS).map((kind) => `${rows.filter((one) => one.kind === kind).length} ${kind}`).join(", "),
    );
  }

  await look();
  live.changed(["*"], look, signal);
  return h(
    "div",
    null,
    h("p", { class: "lead soft" }, "Since it was made, seeded, forked, reset or loaded."),
    sum,
    list.node,
  );
}

function nameOf(resource) {
  return String(resource.id ?? Object.values(resource).find((one) => typeof one === "string") ?? "");
}

function fieldsOf({ kind, resource }) {
  if (kind !== "changed") return resource.status ?? resource.name ?? "";
  return Object.keys(resource.after ?? {}).join(", ");
}

function showResource({ kind, collection, resource }) {
  return open({
    title: `${kind}: ${collection.replaceAll("_", " ")}`,
    wide: true,
    content: () => h("div", { class: "body" }, copyable(JSON.stringify(resource, null, 2))),
  });
}
