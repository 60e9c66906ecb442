// The fields of a form, each made of the JSON Schema of one value: how it is asked for, read, and complained about.

import { append, fill, freshId, h } from "./dom.js";
import { check, choice, free, json, linesOf, number, pairs, severalOf, text } from "./inputs.js";
import { objectsOf } from "./objects.js";

/**
 * The fields of an object, {fields, required, read(), complain(words, message), clear()}: `read` answers the object, or
 * throws once each field that cannot be read has said so; `complain` takes the words of a JSON pointer, and answers
 * whether a field was found for them. `names` are those to show (all, but for `except`), `of(name)` says more of one: {label,
 * hint, open, lines, each}: `lines` whether it may have several lines, `each` what one of a list of objects is called, where
 * they are to be asked for one by one.
 */
export function fieldsOf(schema, { names, except = [], initial = {}, of = () => ({}) } = {}) {
  const whole = objectOf(schema);
  const shown = (names ?? Object.keys(whole.properties)).filter((name) => !except.includes(name));
  const fields = shown.map((name) => {
    const required = whole.required.has(name);
    const said = of(name);
    const field = fieldOf(name, whole.properties[name] ?? {}, { required, value: initial[name], ...said });
    field.first = required || Boolean(said.open) || (initial[name] !== undefined && initial[name] !== null);
    return field;
  });

  function read({ needed = true } = {}) {
    const body = {};
    const missing = [];
    let readable = true;
    for (const field of fields) {
      try {
        const value = field.read();
        if (value !== undefined) body[field.name] = value;
        else if (whole.required.has(field.name)) missing.push(field);
      } catch (error) {
        if (!(error instanceof Said)) field.complain(error.message);
        readable = false;
      }
    }
    // What is left out altogether needs nothing in it; what can be but one thing does not say that it is there.
    const isThere = needed || fields.some((field) => !field.fixed && field.name in body);
    if (readable && !isThere) return {};
    for (const field of isThere ? missing : []) {
      field.complain("is required");
      readable = false;
    }
    if (!readable) throw new Said("cannot be read");
    return body;
  }

  return {
    fields,
    read,
    clear: () => fields.forEach((field) => field.complain(null)),
    complain(words, message) {
      const field = fields.find((one) => one.name === words[0]);
      if (!field) return false;
      if (!field.inner?.complain(words.slice(1), message)) field.complain(message);
      return true;
    },
  };
}

/** That something is wrong, which a field has said already. */
class Said extends Error {}

/** Whether a schema is that of an object with fields of its own. */
export const hasFields = (schema) => Object.keys(objectOf(schema).properties).length > 0;

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

/** What a schema says of a value, without wrappings; `types` are all that it may be, `nullable` whether null is one. */
function plain(given) {
  let found = given;
  let nullable = false;
  for (const list of ["oneOf", "anyOf", "allOf"]) {
    const all = found[list] ?? [];
    const parts = all.filter((part) => part.type !== "null");
    nullable ||= parts.length < all.length;
    if (parts.length === 1 && !found.type && !found.properties) {
      const inner = plain(parts[0]);
      nullable ||= inner.nullable;
      found = { ...found, ...inner.schema, [list]: undefined };
    }
  }
  let types = [found.type ?? []].flat();
  nullable ||= types.includes("null") || (found.enum ?? []).includes(null);
  types = types.filter((one) => one !== "null");
  return { schema: found, types, type: types.length === 1 ? types[0] : undefined, nullable };
}

function fieldOf(name, given, { required, value, label, hint, lines, each }) {
  const what = { ...plain(given), lines, each };
  const id = freshId("field");
  const said = hint ?? given.description ?? what.schema.description ?? "";
  const complaint = h("p", { class: "problem", id: `${id}-problem`, hidden: true });
  const note = said ? h("p", { class: "hint", id: `${id}-hint` }, marked(said)) : null;
  const control = controlOf(id, what, value, required);
  const { input } = control;
  const text = [label ?? name.replaceAll("_", " "), required ? h("span", { class: "needed" }, " (required)") : null];
  const title = control.group ? h("legend", null, text) : h("label", { for: id }, text);
  const tag = control.group ? "fieldset" : "div";
  const node = h(tag, { class: `field ${control.kind}` }, title, note, control.node, complaint);
  const described = control.group ? node : input;
  if (note) described.setAttribute("aria-describedby", note.id);
  const had = value !== undefined && value !== null && value !== "";
  return {
    name,
    node,
    input,
    fixed: required && what.schema.const !== undefined,
    inner: control.inner,
    read() {
      const now = control.read();
      if (now !== undefined) return now;
      // What was emptied is to be nothing from now on, as is what is nothing now; what was never there is left out.
      if (what.nullable && (had || value === null)) return null;
      return had && control.nothing !== undefined ? control.nothing : undefined;
    },
    complain(message) {
      complaint.hidden = !message;
      fill(complaint, message ?? "");
      if (!message) control.inner?.clear();
      if (message) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      const ids = [note?.id, message && complaint.id].filter(Boolean).join(" ");
      if (ids) described.setAttribute("aria-describedby", ids);
      else described.removeAttribute("aria-describedby");
    },
  };
}

/** The input that goes with what a schema says: as those of inputs.js, with `inner`, the fields of an object. */
function controlOf(id, what, value, required) {
  const { schema, type } = what;
  const only = schema.const;
  if (only !== undefined) return choice(id, [only], value ?? (required ? only : undefined), required);
  if (schema.enum) return choice(id, schema.enum.filter((one) => one !== null), value, required);
  if (type === "boolean") {
    const usual = typeof schema.default === "boolean" && !what.nullable;
    return usual ? check(id, value, schema.default, required) : choice(id, [true, false], value, required);
  }
  if (type === "integer" || type === "number") return number(id, schema, type, value, required);
  if (type === "string") return text(id, schema, value, required, what.lines);
  if (type === "array") return arrayOf(id, what, value);
  if (type === "object") return objectControl(id, schema, value);
  return free(id, what.types, value, schema);
}

function arrayOf(id, { schema, each }, value) {
  const { schema: items, type } = plain(schema.items ?? {});
  const given = value ?? [];
  // What has no field of its own must not get lost.
  if (each && given.every((one) => Object.keys(one).every((name) => name in objectOf(items).properties))) {
    const known = new Set(given.flatMap(Object.keys));
    return objectsOf(id, given, each, (initial) => fieldsOf(items, { initial, of: (name) => ({ open: known.has(name) }) }));
  }
  if (items.enum) return severalOf(id, items.enum, given);
  const isLine = (one) => typeof one === "string" && one !== "" && one.trim() === one && !/[\r\n]/.test(one);
  if (type !== "string" || !given.every(isLine)) return { ...json(id, value, "array"), nothing: [] };
  return linesOf(id, given);
}

function objectControl(id, schema, value) {
  const known = objectOf(schema).properties;
  const given = value ?? {};
  if (Object.keys(known).length) {
    return Object.keys(given).every((name) => name in known) ? inner(schema, given) : json(id, value, "object");
  }
  const isName = (one) => one.trim() === one && !/[=\r\n]/.test(one);
  const inLines = ([name, one]) => isName(name) && typeof one === "string" && !/[\r\n]/.test(one);
  const isTextMap = plain(schema.additionalProperties ?? {}).type === "string" && Object.entries(given).every(inLines);
  return isTextMap ? pairs(id, given) : json(id, value, "object");
}

function inner(schema, value) {
  const fields = fieldsOf(schema, { initial: value });
  const node = h("div", { class: "inner" });
  append(node, fields.fields.map((field) => field.node));
  const told = Object.keys(value).length > 0;
  const read = () => {
    const found = fields.read({ needed: told });
    return told || Object.keys(found).length ? found : undefined;
  };
  return { input: fields.fields[0].input, node, kind: "object", group: true, inner: fields, read };
}

/** A text of the document, in which names stand between backticks. */
function marked(text) {
  const parts = text.split("`");
  return parts.length % 2 ? parts.map((part, at) => (at % 2 ? h("code", null, part) : part)) : text;
}
