// What a value is typed into, ticked or chosen with, by the kind of the value.
//
// Each is {input, node, kind, read()}: `read` answers undefined for nothing, or throws; `nothing` is what the value is once
// it was emptied, `group` says that there are several inputs.

import { h } from "./dom.js";

const LONG = 1000;
const MODELESS = { autocomplete: "off", autocapitalize: "none", spellcheck: "false" };

const WORDS = new Map([[true, "yes"], [false, "no"]]);

/** One of some values. */
export function choice(id, values, value, required) {
  const options = values.map((one) =>
    h("option", { value: JSON.stringify(one), selected: one === value }, WORDS.get(one) ?? String(one)),
  );
  if (!required || value === undefined) options.unshift(h("option", { value: "" }, required ? "Choose" : "–"));
  const input = h("select", { id, "aria-required": required ? "true" : null }, options);
  return { input, node: input, kind: "choice", read: () => (input.value === "" ? undefined : JSON.parse(input.value)) };
}

/** Yes or no, where one of them is usual. */
export function check(id, value, usual, required) {
  const input = h("input", { id, type: "checkbox", checked: value ?? usual });
  const told = required || (value !== undefined && value !== null);
  return { input, node: input, kind: "check", read: () => (!told && input.checked === usual ? undefined : input.checked) };
}

/** A number, whole where its type says so. */
export function number(id, schema, type, value, required) {
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

/** A text: a secret one, one of several lines, or one in a line. */
export function text(id, schema, value, required, lines) {
  const formed = schema.format || schema.pattern || schema.anyOf?.some((one) => one.pattern);
  const roomy = (schema.maxLength ?? 0) > LONG && !formed;
  const long = lines || roomy || /[\r\n]/.test(value ?? "");
  const secret = schema.format === "password" || schema.writeOnly;
  const needed = { "aria-required": required ? "true" : null };
  const shared = { id, ...MODELESS, value: value ?? "", placeholder: exampleOf(schema), ...needed };
  const input = long
    ? h("textarea", { ...shared, rows: 3 })
    : h("input", { ...shared, type: secret ? "password" : "text", autocomplete: secret ? "new-password" : "off" });
  // A long text that is needed may be an empty one, as that of a file.
  const nothing = schema.minLength ? undefined : "";
  const read = () => (input.value !== "" ? input.value : required && long ? nothing : undefined);
  return { input, node: input, kind: "text", nothing, read };
}

/** A list of texts, one a line. */
export function linesOf(id, value) {
  const input = h("textarea", { id, rows: 2, ...MODELESS, placeholder: "one a line", value: value.join("\n") });
  const read = () => {
    const found = input.value.split("\n").map((line) => line.trim()).filter(Boolean);
    return found.length ? found : undefined;
  };
  return { input, node: input, kind: "lines", nothing: [], read };
}

/** Any of some values. */
export function severalOf(id, values, chosen) {
  const boxes = values.map((one) => h("input", { type: "checkbox", value: one, checked: chosen.includes(one) }));
  const node = h("div", { class: "several", id }, boxes.map((box, at) => h("label", null, box, " ", values[at])));
  const read = () => {
    const found = values.filter((_one, at) => boxes[at].checked);
    return found.length ? found : undefined;
  };
  return { input: boxes[0] ?? node, node, kind: "several", group: true, nothing: [], read };
}

/** Texts by name. */
export function pairs(id, value) {
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
export function json(id, value, type) {
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
export function free(id, types, value, schema) {
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
  const plainly = (one) => typeof one === "string" && one === one.trim() && one !== "" && !/^[[{"]|[\r\n]/.test(one);
  const bare = (one) => isText && plainly(one) && sure(one) === undefined;
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
