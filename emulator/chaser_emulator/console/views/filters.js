// Fields above a list that say which rows it shows. The address of the page says the same, so that it can be passed on.

import { freshId, h } from "../dom.js";
import { to } from "../routes.js";

const TYPED = 300;

/**
 * `fields` are of {name, label, options} for a choice of values or of [value, title], {name, label, known} for a text, of
 * which some are `known`, or {name, label, check: true} for what is true or not said; what is `more` is folded away.
 * `values` are those of the address of `page`, and `changed(values)` is called when one has become another.
 */
export function filters({ label, page, fields, values, changed }) {
  const inputs = fields.map((field) => [field, inputOf(field, values[field.name] ?? "")]);
  const clear = h("button", { type: "button", class: "quiet", onclick: empty }, "Clear");
  let waiting = 0;

  function read() {
    const found = {};
    for (const [field, input] of inputs) {
      if (field.check ? input.checked : input.value.trim())
        found[field.name] = field.check ? "true" : input.value.trim();
    }
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
    for (const [field, input] of inputs) {
      if (field.check) input.checked = false;
      else input.value = "";
    }
    inputs[0][1].focus();
    apply();
  }

  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(apply, TYPED);
  }

  for (const [field, input] of inputs) {
    const chosen = field.options || field.check;
    input.addEventListener(chosen ? "change" : "input", chosen ? apply : soon);
  }
  clear.hidden = !Object.keys(read()).length;
  const submit = (event) => {
    event.preventDefault();
    apply();
  };
  return h(
    "form",
    { class: "filters", role: "search", "aria-label": label, onsubmit: submit },
    inputs.filter(([field]) => !field.more).map(shown),
    folded(inputs.filter(([field]) => field.more)),
    clear,
  );
}

function shown([field, input]) {
  const label = h("label", { for: input.id }, field.label);
  return h("div", { class: field.check ? "field check" : "field" }, label, input, offered(field, input));
}

function folded(inputs) {
  if (!inputs.length) return null;
  const used = inputs.some(([field, input]) => (field.check ? input.checked : input.value));
  return h(
    "details",
    { open: used },
    h("summary", null, "More filters"),
    h("div", { class: "more" }, inputs.map(shown)),
  );
}

/** Of what an address says, that which these fields can say. */
export function sayable(fields, query) {
  const values = ({ options }) => options?.map((one) => (Array.isArray(one) ? one[0] : one));
  const fits = (field) => query[field.name] && (values(field)?.includes(query[field.name]) ?? true);
  return Object.fromEntries(fields.filter(fits).map((field) => [field.name, query[field.name]]));
}

function inputOf(field, value) {
  const id = freshId("filter");
  if (field.check) return h("input", { id, type: "checkbox", checked: value === "true" });
  if (!field.options) {
    return h("input", {
      id,
      type: "search",
      value,
      autocomplete: "off",
      spellcheck: "false",
      list: field.known ? `${id}-known` : null,
    });
  }
  const options = field.options.map((one) => {
    const [said, title] = Array.isArray(one) ? one : [one, one];
    return h("option", { value: said, selected: said === value }, title);
  });
  return h("select", { id }, h("option", { value: "" }, "all"), options);
}

function offered(field, input) {
  return (
    field.known &&
    h(
      "datalist",
      { id: `${input.id}-known` },
      field.known.map((one) => h("option", { value: one })),
    )
  );
}
