// The contract: what the last run of the contract tests came to, and what is known of each operation.

import { call } from "../api.js";
import { attempt } from "../dialog.js";
import { freshId, h } from "../dom.js";
import { style, tabs, top } from "../parts.js";
import { to } from "../routes.js";

const HERE = "/contract";

/** The parts of the page; `show({query, signal})` of each answers a node. */
const PARTS = [
  { name: "run", title: "Last run", load: () => import("./contract/run.js") },
  { name: "evidence", title: "Evidence", load: () => import("./contract/evidence.js") },
];

export async function show({ query, signal }) {
  await style("steering");
  const chosen = PARTS.find((one) => one.name === query.tab) ?? PARTS[0];
  const part = await (await chosen.load()).show({ query, signal });
  const links = PARTS.map((one) => [one.title, to(HERE, {}, { tab: one.name }), one === chosen]);
  return h("div", null, top("Contract", takeReport()), tabs("Parts of the page", links), part);
}

/** A button that hands over a report which was written to a file. */
function takeReport() {
  const id = freshId("report");
  const input = h("input", {
    id, type: "file", class: "unseen", tabindex: -1, accept: ".json", "aria-label": "A report in JSON",
    onchange: async () => {
      const file = input.files[0];
      input.value = "";
      if (!file) return;
      const put = () => call("put-contract-report", { body: new Blob([file]), type: "application/octet-stream" });
      await attempt(put, ({ findings, parts }) => `Taken: ${findings} findings in ${parts} parts.`);
    },
  });
  return [h("button", { type: "button", onclick: () => input.click() }, "Load a report…"), input];
}
