// What goes wrong on purpose: rules of faults, and refusals that are brought about by real state.

import { call } from "../api.js";
import { ask } from "../dialog.js";
import { h } from "../dom.js";
import { style, tabs, top } from "../parts.js";
import { to } from "../routes.js";
import { faultForm } from "./faults/form.js";

const HERE = "/faults";

/** The parts of the page; `show({query, signal})` of each answers {node, actions}. */
const PARTS = [
  { name: "rules", title: "Faults", load: () => import("./faults/rules.js") },
  { name: "refusals", title: "Refusals on demand", load: () => import("./faults/refusals.js") },
];

/** `query.new` is the JSON of a rule with which the form of a new one opens; `query.tab` names a part. */
export async function show({ query, signal }) {
  await style("steering");
  const { chosen, links } = tabs("Parts of the page", PARTS, HERE, query);
  const part = await (await chosen.load()).show({ query, signal });
  const begun = prefilled(query.new);
  if (begun !== null) {
    // The address is then that of the page: who comes back to it is not asked again.
    history.replaceState(null, "", to(HERE));
    queueMicrotask(() => newFault(begun));
  }
  return h("div", null, top("Faults", part.actions), links, part.node);
}

/** Ask for a rule, begun with one, and add it; answers whether it was. */
export async function newFault(initial = {}) {
  const form = await faultForm(initial);
  const made = await ask({ title: "New fault", verb: "Add it", form, submit: (body) => call("add-fault", { body }) });
  return made !== undefined;
}

function prefilled(text) {
  if (!text) return null;
  try {
    const found = JSON.parse(text);
    if (!found || typeof found !== "object" || Array.isArray(found)) return {};
    const named = [found.operations ?? []].flat().every((one) => typeof one === "string");
    return named ? found : { ...found, operations: [] };
  } catch {
    return {};
  }
}
