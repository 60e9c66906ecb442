// Forms made of the schemas of the document, so that what may be said, and how, is written there alone.

import { call, Refusal, wasGivenUp } from "./api.js";
import { append, fill, freshId, h } from "./dom.js";

const LONG = 1000;

/**
 * The form of an operation's JSON body. Options: `only` and `except` (names of fields), `initial` (a body), `labels` and
 * `hints` (texts by name), `open` (names that are not hidden under "More", though they are not required).
 *
 * It is {node, read(), refuse(error), busy(flag)}: `read` answers the body, or undefined where a field cannot be read and
 * says so itself.
 */
export async function formOf(operationId, options = {}) {
  const operation = await call("get-operation", { path: { id: operationId } });
  const schema = operation.body?.["application/json"];
  if (!schema) throw new Error(`${operationId} takes no JSON`);
  return formOfSchema(schema, options);
}

/** The same of a schema of an object. */
export function formOfSchema(schema, options = {}) {
  const { only, except = [], initial = {}, labels = {}, hints = {}, open = only ?? [] } = options;
  const whole = objectOf(schema);
  const names = (only ?? Object.keys(whole.properties)).filter((name) => !except.includes(name));
  const fields = names.map((name) => {
    const required = whole.required.has(name);
    return fieldOf(name, whole.properties[name] ?? {}, {
      required,
      value: initial[name],
      label: labels[name],
      hint: hints[name],
      first: required || open.includes(name) || initial[name] !== undefined,
    });
  });
  const first = fields.filter((field) => field.first);
  const more = fields.filter((field) => !field.first);
  const problems = h("div", { class: "problems", role: "alert" });
  const node = h("form", { novalidate: true, class: "form" }, problems);
  // With nothing that is needed, all is shown.
  append(node, (first.length ? first : more).map((field) => field.node));
  if (first.length && more.length) {
    append(node, h("details", null, h("summary", null, "More"), more.map((field) => field.node)));
  }

  function read() {
    clear();
    const body = {};
    let readable = true;
    for (const field of fields) {
      try {
        const value = field.read();
        if (value !== undefined) body[field.name] = value;
        else if (whole.required.has(field.name)) throw new Error("is required");
      } catch (error) {
        field.complain(error.message);
        readable = false;
      }
    }
    if (readable) return body;
    focusOnFirst();
    return undefined;
  }

  function refuse(error) {
    if (wasGivenUp(error)) return;
    clear();
    const left = [];
    for (const problem of error instanceof Refusal ? error.problems : []) {
      const name = (problem.pointer ?? "").replace(/^\//, "").split("/")[0];
      const field = fields.find((one) => one.name === name);
      if (field) field.complain(problem.message);
      else left.push(`${problem.pointer ?? ""} ${problem.message}`.trim());
    }
    if (left.length || !node.querySelector('[aria-invalid="true"]')) {
      fill(problems, h("p", { class: "problem" }, left.length ? left.join("; ") : error.message));
    }
    focusOnFirst();
  }

  function clear() {
    fill(problems);
    for (const field of fields) field.complain(null);
  }

  function focusOnFirst() {
    const wrong = node.querySelector('[aria-invalid="true"]');
    wrong?.closest("details")?.setAttribute("open", "");
    wrong?.focus();
  }

  function busy(flag) {
    for (const button of node.querySelectorAll("button")) button.disabled = flag;
  }

  return { node, read, refuse, busy, field: (name) => fields.find((one) => one.name === name) };
}

/** All that an object may have: its own properties and those of what it is made of. */
function objectOf(schema) {
  const properties = { ...schema.properties };
  const required = new Set(schema.required ?? []);
  for (const part of schema.allOf ?? []) {
    const inner = objectOf(part);
    Object.assign(properties, inner.properties);
    for (const name of inner.required) required.add(name);
  }
  // One of several shapes: all fields of all of them, none of which is needed.
  for (const part of [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])]) {
    for (const [name, one] of Object.entries(objectOf(part).properties)) properties[name] ??= one;
  }
  return { properties, required };
}

/** What a schema says of a value, without that it may be null and without wrappings. */
function plain(schema) {
  let found = schema;
  for (const list of ["oneOf", "anyOf", "allOf"]) {
    const parts = (found[list] ?? []).filter((part) => part.type !== "null");
    if (parts.length === 1 && !found.type && !found.properties) found = { ...found, ...plain(parts[0]), [list]: undefined };
  }
  if (Array.isArray(found.type)) {
    const types = found.type.filter((one) => one !== "null");
    found = { ...found, type: types.length === 1 ? types[0] : undefined };
  }
  return found;
}

function fieldOf(name, given, { required, value, label, hint, first }) {
  const schema = plain(given);
  const id = freshId("field");
  const said = hint ?? schema.description ?? "";
  const complaint = h("p", { class: "problem", id: `${id}-problem`, hidden: true });
  const note = said ? h("p", { class: "hint", id: `${id}-hint` }, said) : null;
  const control = controlOf(id, name, schema, value, required);
  const described = [note && `${id}-hint`].filter(Boolean).join(" ");
  const input = control.input;
  if (described) input.setAttribute("aria-describedby", described);
  const text = label ?? name.replaceAll("_", " ");
  const title = control.group
    ? h("legend", null, text, required ? h("span", { class: "needed" }, " (required)") : null)
    : h("label", { for: id }, text, required ? h("span", { class: "needed" }, " (required)") : null);
  const node = h(control.group ? "fieldset" : "div", { class: `field ${control.kind}` }, title, control.node, note, complaint);
  return {
    name,
    node,
    first,
    input,
    read: control.read,
    complain(message) {
      complaint.hidden = !message;
      fill(complaint, message ?? "");
      input.setAttribute("aria-invalid", message ? "true" : "false");
      input.setAttribute("aria-describedby", [described, message && `${id}-problem`].filter(Boolean).join(" "));
    },
  };
}

/** How a value is asked for: {input, node, kind, read()}, where `read` answers undefined for nothing, or throws. */
function controlOf(id, name, schema, value, required) {
  if (schema.const !== undefined) return choice(id, [schema.const], value ?? schema.const, true);
  if (schema.enum) return choice(id, schema.enum.filter((one) => one !== null), value, required);
  switch (schema.type) {
    case "boolean":
      return typeof schema.default === "boolean" ? check(id, value ?? schema.default, schema.default) : choice(id, [true, false], value, required);
    case "integer":
    case "number":
      return number(id, schema, value);
    case "array":
      return arrayOf(id, schema, value);
    case "object":
      return isTextMap(schema) ? pairs(id, value) : json(id, value);
    case "string":
      return text(id, name, schema, value, required);
    default:
      return json(id, value);
  }
}

function choice(id, values, value, required) {
  const options = values.map((one) => h("option", { value: JSON.stringify(one), selected: one === value }, String(one)));
  if (!required) options.unshift(h("option", { value: "" }, "–"));
  const input = h("select", { id }, options);
  return { input, node: input, kind: "choice", read: () => (input.value === "" ? undefined : JSON.parse(input.value)) };
}

function check(id, value, usual) {
  const input = h("input", { id, type: "checkbox", checked: value });
  return { input, node: input, kind: "check", read: () => (input.checked === usual ? undefined : input.checked) };
}

function number(id, schema, value) {
  const whole = schema.type === "integer";
  const input = h("input", {
    id, type: "number", step: whole ? 1 : "any", min: schema.minimum, max: schema.maximum,
    value: value ?? "", placeholder: schema.default,
  });
  return {
    input,
    node: input,
    kind: "number",
    read() {
      if (input.validity.badInput) throw new Error("is no number");
      if (input.value === "") return undefined;
      const found = Number(input.value);
      if (whole && !Number.isInteger(found)) throw new Error("must be a whole number");
      return found;
    },
  };
}

function text(id, name, schema, value, required) {
  const long = (schema.maxLength ?? 0) > LONG && !schema.format && !schema.pattern;
  const secret = schema.format === "password" || schema.writeOnly;
  const input = long
    ? h("textarea", { id, rows: 3, spellcheck: "false", value: value ?? "" })
    : h("input", {
        id, type: secret ? "password" : "text", autocomplete: "off", autocapitalize: "none", spellcheck: "false",
        value: value ?? "", placeholder: schema.default ?? schema.examples?.[0],
      });
  if (required) input.setAttribute("aria-required", "true");
  return { input, node: input, kind: "text", read: () => (input.value === "" ? undefined : input.value) };
}

function arrayOf(id, schema, value) {
  const items = plain(schema.items ?? {});
  if (items.enum) return severalOf(id, items.enum, value ?? []);
  if (items.type !== "string") return json(id, value);
  const input = h("textarea", { id, rows: 2, spellcheck: "false", placeholder: "one a line", value: (value ?? []).join("\n") });
  const read = () => {
    const found = input.value.split("\n").map((line) => line.trim()).filter(Boolean);
    return found.length ? found : undefined;
  };
  return { input, node: input, kind: "lines", read };
}

function severalOf(id, values, chosen) {
  const boxes = values.map((one) => h("input", { type: "checkbox", value: one, checked: chosen.includes(one) }));
  const node = h("div", { class: "several", id }, boxes.map((box, at) => h("label", null, box, " ", values[at])));
  const read = () => {
    const found = values.filter((_one, at) => boxes[at].checked);
    return found.length ? found : undefined;
  };
  return { input: boxes[0] ?? node, node, kind: "several", group: true, read };
}

function pairs(id, value) {
  const lines = Object.entries(value ?? {}).map(([name, one]) => `${name}=${one}`);
  const input = h("textarea", { id, rows: 2, spellcheck: "false", placeholder: "NAME=value, one a line", value: lines.join("\n") });
  const read = () => {
    const found = {};
    for (const line of input.value.split("\n").filter((one) => one.trim())) {
      const at = line.indexOf("=");
      if (at < 1) throw new Error(`"${line}" is not NAME=value`);
      found[line.slice(0, at).trim()] = line.slice(at + 1);
    }
    return Object.keys(found).length ? found : undefined;
  };
  return { input, node: input, kind: "pairs", read };
}

function json(id, value) {
  const shown = value === undefined ? "" : JSON.stringify(value, null, 2);
  const input = h("textarea", { id, rows: 3, spellcheck: "false", class: "code", placeholder: "JSON", value: shown });
  const read = () => {
    if (input.value.trim() === "") return undefined;
    try {
      return JSON.parse(input.value);
    } catch (error) {
      throw new Error(`is no JSON: ${error.message}`);
    }
  };
  return { input, node: input, kind: "json", read };
}

function isTextMap(schema) {
  return !schema.properties && plain(schema.additionalProperties ?? {}).type === "string";
}
