// A list of things out of a file, or pasted: read as JSON, and sent as one.

import { ask, notice } from "./dialog.js";
import { fill, freshId, h } from "./dom.js";
import { wasGivenUp } from "./api.js";

/**
 * Ask for a JSON list, or for an object that holds one under the name of many such (`one` is that of one, as "fault"), and
 * say how many were added: `add(list)` answers with those that were, under the same name.
 */
export async function addFromList({ title, text, one, example, add }) {
  const many = `${one}s`;
  const id = freshId("list");
  const problem = h("p", { class: "problem", id: `${id}-problem`, role: "alert" });
  const area = h(
    "textarea",
    { id, rows: 8, class: "code", spellcheck: "false", placeholder: example, "aria-describedby": `${id}-problem` },
  );
  const file = h("input", {
    id: `${id}-file`, type: "file", accept: ".json,application/json",
    onchange: async () => {
      if (file.files[0]) area.value = await file.files[0].text();
      area.focus();
    },
  });
  const node = h(
    "form",
    { class: "form pasted", novalidate: true },
    h("div", { class: "field" }, h("label", { for: file.id }, "A file"), file),
    h("div", { class: "field" }, h("label", { for: id }, "Or the list itself, in JSON"), area, problem),
  );

  function complain(message) {
    fill(problem, message ?? "");
    if (message) area.setAttribute("aria-invalid", "true");
    else area.removeAttribute("aria-invalid");
  }

  function read() {
    complain(null);
    try {
      const found = JSON.parse(area.value);
      const list = Array.isArray(found) ? found : found?.[many];
      if (Array.isArray(list)) return list;
      complain(`That is neither a list nor an object with “${many}” in it.`);
    } catch (error) {
      complain(`That is no JSON: ${error.message}`);
    }
    area.focus();
    return undefined;
  }

  function refuse(error) {
    if (wasGivenUp(error)) return;
    complain(error.message);
    area.focus();
  }

  function busy(flag) {
    for (const button of node.querySelectorAll("button")) button.disabled = flag;
  }

  const added = await ask({ title, text, verb: "Add them", form: { node, read, refuse, busy }, submit: add });
  if (added) notice(`Added ${added[many].length === 1 ? `one ${one}` : `${added[many].length} ${many}`}.`, "good");
}
