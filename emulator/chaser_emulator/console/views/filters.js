// Fields above a list that say which rows it shows. The address of the page says the same, so that it can be passed on.

import { freshId, h } from "../dom.js";
import { to } from "../routes.js";

const TYPED = 300;

/**
 * `fields` are of {name, label, options} for a choice, or {name, label, known} for a text, of which some are `known`.
 * `values` are those of the address of `page`, and `changed(values)` is called when one has become another.
 */
export function filters({ label, page, fields, values, changed }) {
  const inputs = fields.map((field) => [field, inputOf(field, values[field.name] ?? "")]);
  const clear = h("button", { type: "button", class: "quiet", onclick: empty }, "Clear");
  let waiting = 0;

  function read() {
    const found = {};
    for (const [field, input] of inputs) if (input.value.trim()) found[field.name] = input.value.trim();
    return found;
  }

  function apply() {
    clearTimeout(waiting);
    const now = read();
    clear.hidden = !Object.keys(now).length;
    history.replaceState(null, "", to(page, {}, now));
    changed(now);
  }

  function empty() {
    for (const [, input] of inputs) input.value = "";
    inputs[0][1].focus();
    apply();
  }

  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(apply, TYPED);
  }

  for (const [field, input] of inputs) input.addEventListener(field.options ? "change" : "input", field.options ? apply : soon);
  clear.hidden = !Object.keys(read()).length;
  const submit = (event) => {
    event.preventDefault();
    apply();
  };
  return h(
    "form",
    { class: "filters", role: "search", "aria-label": label, onsubmit: submit },
    inputs.map(([field, input]) => h("div", { class: "field" }, h("label", { for: input.id }, field.label), input, offered(field, input))),
    clear,
  );
}

function inputOf(field, value) {
  const id = freshId("filter");
  if (!field.options) {
    return h("input", { id, type: "search", value, autocomplete: "off", spellcheck: "false", list: field.known ? `${id}-known` : null });
  }
  const options = field.options.map((one) => h("option", { value: one, selected: one === value }, one));
  return h("select", { id }, h("option", { value: "" }, "all"), options);
}

function offered(field, input) {
  return field.known && h("datalist", { id: `${input.id}-known` }, field.known.map((one) => h("option", { value: one })));
}
