// The fields of a form, each made of the JSON Schema of one value: how it is asked for, read, and complained about.

import { append, fill, freshId, h } from "./dom.js";

const LONG = 1000;
const MODELESS = { autocomplete: "off", autocapitalize: "none", spellcheck: "false" };

/**
 * The fields of an object, {fields, required, read(), complain(words, message), clear()}: `read` answers the object, or
 * throws once each field that cannot be read has said so; `complain` takes the words of a JSON pointer, and answers
 * whether a field was found for them. `names` are those to show (all, but for `except`), `of(name)` says more of one: {label,
 * hint, open, lines}, the last whether it may have several lines.
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

function fieldOf(name, given, { required, value, label, hint, lines }) {
  const what = { ...plain(given), lines };
  const id = freshId("field");
  const said = hint ?? given.description ?? what.schema.description ?? "";
  const complaint = h("p", { class: "problem", id: `${id}-problem`, hidden: true });
  const note = said ? h("p", { class: "hint", id: `${id}-hint` }, said) : null;
  const control = controlOf(id, what, value, required);
  const { input } = control;
  const text = [label ?? name.replaceAll("_", " "), required ? h("span", { class: "needed" }, " (required)") : null];
  const title = control.group ? h("legend", null, text) : h("label", { for: id }, text);
  const node = h(control.group ? "fieldset" : "div", { class: `field ${control.kind}` }, title, note, control.node, complaint);
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

/**
 * How a value is asked for: {input, node, kind, read()}, where `read` answers undefined for nothing, or throws; `nothing`
 * is what it is when it was emptied, `group` whether it is several inputs, `inner` the fields of an object.
 */
function controlOf(id, what, value, required) {
  const { schema, type } = what;
  if (schema.const !== undefined) return choice(id, [schema.const], value ?? (required ? schema.const : undefined), required);
  if (schema.enum) return choice(id, schema.enum.filter((one) => one !== null), value, required);
  if (type === "boolean") {
    const usual = typeof schema.default === "boolean" && !what.nullable;
    return usual ? check(id, value, schema.default, required) : choice(id, [true, false], value, required);
  }
  if (type === "integer" || type === "number") return number(id, schema, type, value, required);
  if (type === "string") return text(id, schema, value, required, what.lines);
  if (type === "array") return arrayOf(id, schema, value);
  if (type === "object") return objectControl(id, schema, value);
  return free(id, what.types, value, schema);
}

const WORDS = new Map([[true, "yes"], [false, "no"]]);

function choice(id, values, value, required) {
  const options = values.map((one) =>
    h("option", { value: JSON.stringify(one), selected: one === value }, WORDS.get(one) ?? String(one)),
  );
  if (!required || value === undefined) options.unshift(h("option", { value: "" }, required ? "Choose" : "–"));
  const input = h("select", { id, "aria-required": required ? "true" : null }, options);
  return { input, node: input, kind: "choice", read: () => (input.value === "" ? undefined : JSON.parse(input.value)) };
}

function check(id, value, usual, required) {
  const input = h("input", { id, type: "checkbox", checked: value ?? usual });
  const told = required || (value !== undefined && value !== null);
  return { input, node: input, kind: "check", read: () => (!told && input.checked === usual ? undefined : input.checked) };
}

function number(id, schema, type, value, required) {
  const input = h("input", {
    id, type: "text", inputmode: type === "integer" ? "numeric" : "decimal", ...MODELESS, value: value ?? "",
    placeholder: exampleOf(schema), "aria-required": required ? "true" : null,
  });
  const read = () => {
    const said = input.value.trim();
    if (said === "") return undefined;
    const found = Number(said);
    if (!Number.isFinite(found)) throw new Error("is no number");
    if (type === "integer" && !Number.isInteger(found)) throw new Error("is no whole number");
    if (found < (schema.minimum ?? -Infinity)) throw new Error(`is less than ${schema.minimum}`);
    if (found > (schema.maximum ?? Infinity)) throw new Error(`is more than ${schema.maximum}`);
    return found;
  };
  return { input, node: input, kind: "number", read };
}

function text(id, schema, value, required, lines) {
  const formed = schema.format || schema.pattern || schema.anyOf?.some((one) => one.pattern);
  const roomy = (schema.maxLength ?? 0) > LONG && !formed;
  const long = lines || roomy || /[\r\n]/.test(value ?? "");
  const secret = schema.format === "password" || schema.writeOnly;
  const shared = { id, ...MODELESS, value: value ?? "", placeholder: exampleOf(schema), "aria-required": required ? "true" : null };
  const input = long
    ? h("textarea", { ...shared, rows: 3 })
    : h("input", { ...shared, type: secret ? "password" : "text", autocomplete: secret ? "new-password" : "off" });
  // A long text that is needed may be an empty one, as that of a file.
  const nothing = schema.minLength ? undefined : "";
  const read = () => (input.value !== "" ? input.value : required && long ? nothing : undefined);
  return { input, node: input, kind: "text", nothing, read };
}

function arrayOf(id, schema, value) {
  const { schema: items, type } = plain(schema.items ?? {});
  if (items.enum) return severalOf(id, items.enum, value ?? []);
  if (type !== "string" || (value ?? []).some((one) => typeof one !== "string" || one.trim() !== one || /[\r\n]/.test(one) || !one)) {
    return { ...json(id, value, "array"), nothing: [] };
  }
  const input = h("textarea", { id, rows: 2, ...MODELESS, placeholder: "one a line", value: (value ?? []).join("\n") });
  const read = () => {
    const found = input.value.split("\n").map((line) => line.trim()).filter(Boolean);
    return found.length ? found : undefined;
  };
  return { input, node: input, kind: "lines", nothing: [], read };
}

function severalOf(id, values, chosen) {
  const boxes = values.map((one) => h("input", { type: "checkbox", value: one, checked: chosen.includes(one) }));
  const node = h("div", { class: "several", id }, boxes.map((box, at) => h("label", null, box, " ", values[at])));
  const read = () => {
    const found = values.filter((_one, at) => boxes[at].checked);
    return found.length ? found : undefined;
  };
  return { input: boxes[0] ?? node, node, kind: "several", group: true, nothing: [], read };
}

function objectControl(id, schema, value) {
  const known = objectOf(schema).properties;
  const given = value ?? {};
  if (Object.keys(known).length) {
    return Object.keys(given).every((name) => name in known) ? inner(schema, given) : json(id, value, "object");
  }
  const inLines = ([name, one]) => typeof one === "string" && !/[\r\n]/.test(one) && name.trim() === name && !/[=\r\n]/.test(name);
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

function pairs(id, value) {
  const lines = Object.entries(value).map(([name, one]) => `${name}=${one}`);
  const input = h("textarea", { id, rows: 2, ...MODELESS, placeholder: "NAME=value, one a line", value: lines.join("\n") });
  const read = () => {
    const found = {};
    for (const line of input.value.split("\n").filter((one) => one.trim())) {
      const at = line.indexOf("=");
      if (at < 1) throw new Error(`"${line}" is not NAME=value`);
      found[line.slice(0, at).trim()] = line.slice(at + 1);
    }
    return Object.keys(found).length ? found : undefined;
  };
  return { input, node: input, kind: "pairs", nothing: {}, read };
}

const ARTICLES = { array: "a list", object: "an object", string: "a text", boolean: "true or false" };

/** JSON of one type. */
function json(id, value, type) {
  const shown = value === undefined || value === null ? "" : JSON.stringify(value, null, 2);
  const rows = Math.min(12, Math.max(3, shown.split("\n").length));
  const placeholder = type === "array" ? "[…] in JSON" : "{…} in JSON";
  const input = h("textarea", { id, rows, ...MODELESS, class: "code", placeholder, value: shown });
  const read = () => {
    if (input.value.trim() === "") return undefined;
    const found = parsed(input.value);
    if (typeOf(found) !== type) throw new Error(`is not ${ARTICLES[type]} in JSON`);
    return found;
  };
  return { input, node: input, kind: "json", read };
}

/** A value of several types: JSON, or a text as it is where it may be one and is no JSON of another. */
function free(id, types, value, schema) {
  const fits = (one) => !types.length || types.includes(typeOf(one)) || (typeOf(one) === "integer" && types.includes("number"));
  const isText = !types.length || types.includes("string");
  const sure = (one) => {
    try {
      const found = JSON.parse(one);
      return fits(found) ? found : undefined;
    } catch {
      return undefined;
    }
  };
  // A text that would be read as something else is shown in quotes.
  const bare = (one) => isText && typeof one === "string" && one !== "" && !/[\r\n]/.test(one) && sure(one) === undefined;
  const shown = value === undefined || value === null ? "" : bare(value) ? value : JSON.stringify(value, null, 2);
  const rows = Math.min(12, shown.split("\n").length);
  const input = h("textarea", { id, rows, ...MODELESS, class: "code", placeholder: exampleOf(schema) ?? "JSON", value: shown });
  const read = () => {
    const said = input.value.trim();
    if (said === "") return undefined;
    const found = sure(said);
    if (found !== undefined) return found;
    if (isText && !/^[[{"]/.test(said)) return said;
    const other = parsed(said);
    throw new Error(`is ${ARTICLES[typeOf(other)] ?? "a number"}, which does not fit here`);
  };
  return { input, node: input, kind: "free", read };
}

function parsed(said) {
  try {
    return JSON.parse(said);
  } catch (error) {
    throw new Error(`is no JSON: ${error.message}`);
  }
}

function typeOf(value) {
  if (Array.isArray(value)) return "array";
  if (value === null) return "null";
  return Number.isInteger(value) ? "integer" : typeof value;
}

/** What stands in an empty field: what holds if it is left so, or an example. */
function exampleOf(schema) {
  const one = schema.default ?? schema.examples?.[0];
  if (one === undefined || one === null) return null;
  return typeof one === "object" ? JSON.stringify(one) : String(one);
}
