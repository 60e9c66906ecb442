// All workspaces of the account: what each is and takes, new ones, and the end of those that are chosen.

import { call } from "../api.js";
import { fill, h, refill } from "../dom.js";
import { bytes, short } from "../format.js";
import * as live from "../live.js";
import { badge, style, top } from "../parts.js";
import { to } from "../routes.js";
import { table } from "../table.js";
import { refused } from "./following.js";
import { createWorkspace, deleteChosen, importRepository, openSession, startFromTemplate } from "./workspace/acts.js";
import { storageCard } from "./workspace/storage.js";

const TAGS = ["workspaces", "snapshots", "workspace.snapshots", "sessions", "accounts"];

export async function show({ signal }) {
  await style("workspaces");
  const chosen = new Set();
  let sizes = new Map();

  const list = table({
    label: "Workspaces",
    columns: [
      { title: "", told: "Choose", width: "1.5rem", narrow: "1.5rem", render: choice },
      { title: "Name", width: "minmax(0, 1.4fr)", narrow: "minmax(0, 1fr)", render: name },
      { title: "Type", width: "5rem", minor: true, render: (one) => one.session_type ?? "" },
      { title: "Status", width: "5rem", narrow: "4.25rem", render: (one) => badge(one.status ?? "") },
      { title: "Made of", width: "minmax(0, 1fr)", minor: true, render: (one) => one.github_repo ?? one.image ?? "" },
      { title: "Size", width: "5rem", minor: true, numeric: true, render: (one) => sizes.get(one.id) ?? "…" },
      { title: "Session", width: "6rem", narrow: "4.5rem", render: session },
    ],
    filter: (one) =>
      [one.name, one.session_type, one.status, one.image, one.github_repo, one.template && "template"].join(" "),
    empty: "No workspaces yet. A workspace keeps files from one session to the next: make one, or import a repository.",
  });

  const said = h("span", { role: "status" });
  const can = h("div", { class: "actions" });
  const picked = h("div", { class: "picked", hidden: true }, said, can);
  const storage = storageCard();
  const problem = h("div");
  const body = h("div", null, storage.node, picked, list.node);

  function choice(one) {
    const box = h("input", {
      type: "checkbox", checked: chosen.has(one.id), "aria-label": `Choose ${one.name}`,
      onchange: () => {
        if (box.checked) chosen.add(one.id);
        else chosen.delete(one.id);
        drawPicked();
      },
    });
    return box;
  }

  function name(one) {
    return [
      h("a", { href: to("/workspaces/{id}", { id: one.id }) }, one.name),
      one.template ? [" ", badge("template")] : null,
      one.assistant_home ? [" ", badge("assistant")] : null,
    ];
  }

  function session(one) {
    if (one.active_session_id) {
      const href = to("/sessions/{id}", { id: one.active_session_id });
      return h("a", { href }, h("code", null, short(one.active_session_id)));
    }
    const label = `Open a session in ${one.name}`;
    return h("button", { type: "button", class: "small", "aria-label": label, onclick: () => openSession(one) }, "Open");
  }

  function drawPicked() {
    const rows = list.rows();
    const named = rows.filter((one) => chosen.has(one.id));
    picked.hidden = !named.length;
    const count = named.length === 1 ? "1 workspace is chosen." : `${named.length} workspaces are chosen.`;
    fill(said, named.length ? count : "");
    const all = () => {
      for (const one of rows) chosen.add(one.id);
      list.redraw();
      drawPicked();
    };
    const none = () => {
      chosen.clear();
      list.redraw();
      drawPicked();
      document.getElementById("main").focus({ preventScroll: true });
    };
    const button = (text, onclick, kind = "small") => h("button", { type: "button", class: kind, onclick }, text);
    refill(
      can,
      named.length < rows.length ? button(`Choose all ${rows.length}`, all) : null,
      button("Choose none", none),
      button("Delete the chosen", () => deleteChosen(named), "small danger"),
    );
  }

  async function draw() {
    let rows;
    try {
      rows = await call("list-workspaces", { signal });
    } catch (error) {
      if (signal.aborted) return;
      fill(problem, refused(error));
      body.hidden = true;
      return;
    }
    fill(problem);
    body.hidden = false;
    const there = new Set(rows.map((one) => one.id));
    for (const id of chosen) if (!there.has(id)) chosen.delete(id);
    list.set(rows);
    drawPicked();
    measure(rows);
  }

  /** Sizes come when the engine has measured them. */
  async function measure(rows) {
    const found = await storage.draw(rows, signal);
    if (!found || signal.aborted) return;
    sizes = new Map([...found].map(([id, one]) => [id, bytes(one.used_bytes)]));
    list.redraw();
  }

  await draw();
  live.changed(TAGS, draw, signal);
  return h(
    "div",
    null,
    top(
      "Workspaces",
      h("button", { type: "button", class: "primary", onclick: createWorkspace }, "New workspace"),
      h("button", { type: "button", onclick: importRepository }, "Import a repository"),
      h("button", { type: "button", onclick: () => startFromTemplate(list.rows()) }, "Copy a workspace"),
    ),
    problem,
    body,
  );
}
