// The contract: what the last run of the contract tests came to, and what is known of each operation.

import { call } from "../api.js";
import { attempt } from "../dialog.js";
import { h } from "../dom.js";
import { counted } from "../format.js";
import { fileButton, style, tabs, top } from "../parts.js";

const HERE = "/contract";

/** The parts of the page; `show({query, signal})` of each answers a node. */
const PARTS = [
  { name: "run", title: "Last run", load: () => import("./contract/run.js") },
  { name: "evidence", title: "Evidence", load: () => import("./contract/evidence.js") },
];

export async function show({ query, signal }) {
  await style("steering");
  const { chosen, links } = tabs("Parts of the page", PARTS, HERE, query);
  const part = await (await chosen.load()).show({ query, signal });
  return h("div", null, top("Contract", takeReport()), links, part);
}

/** A button that hands over a report which was written to a file. */
function takeReport() {
  const take = (file) => {
    const put = () => call("put-contract-report", { body: new Blob([file]), type: "application/octet-stream" });
    return attempt(put, ({ findings, parts }) => `Taken: ${counted(findings, "finding")} in ${counted(parts, "part")}.`);
  };
  return fileButton("Load a report…", { label: "A report in JSON", accept: ".json", take });
}
