// The configuration of an assistant as a form: the settings that the document names, and all others as JSON.

import { call, Refusal } from "../../api.js";
import { formOfSchema } from "../../form.js";

/** Where each field of the form is in a configuration. */
const WHERE = {
  provider: ["model", "provider"],
  model_id: ["model", "model_id"],
  system_prompt: ["system_prompt"],
  sandbox: ["tools", "sandbox"],
  browser: ["tools", "browser"],
  alerts: ["alerts"],
};
const OTHERS = "other_settings";
/** What a field says that was emptied, or never filled. */
const EMPTY = [undefined, null, ""];

/**
 * A form whose `read` answers {config, patch}: the whole configuration, and the merge patch that makes it of `config`,
 * that which there is. With `named` it asks for a name as well and answers it; with `reason`, why.
 */
export async function configForm({ config = {}, name, named = false, reason = false }) {
  const { body } = await call("get-operation", { path: { id: "create-assistant" } });
  const { properties } = body["application/json"];
  const known = properties.config.properties;
  const fields = {
    ...(named ? { name: properties.name } : {}),
    provider: { examples: ["anthropic"], ...known.model.properties.provider },
    model_id: { examples: ["some-model"], ...known.model.properties.model_id },
    system_prompt: known.system_prompt,
    sandbox: known.tools.properties.sandbox,
    browser: known.tools.properties.browser,
    alerts: known.alerts,
    [OTHERS]: { type: "object", description: "Any other settings, as a JSON object. They are kept as they are." },
    ...(reason ? { reason: { type: "string", description: "For those who decide.", maxLength: 4096 } } : {}),
  };
  const form = formOfSchema(
    { properties: fields, required: named ? ["name"] : [] },
    {
      open: [...Object.keys(WHERE).slice(0, 5), "reason"],
      initial: { name, ...shownOf(config) },
      each: { alerts: "bound" },
      labels: { model_id: "model", sandbox: "has a sandbox", browser: "has a browser", reason: "why" },
    },
  );

  function read() {
    const given = form.read();
    if (!given) return given;
    const wanted = configOf(given, config);
    if (!wanted) {
      form.field(OTHERS).complain("must be a JSON object");
      return undefined;
    }
    return { name: given.name, reason: given.reason, config: wanted, patch: patchOf(config, wanted) ?? {} };
  }

  function refuse(error) {
    if (error instanceof Refusal) for (const one of error.problems) one.pointer = fieldAt(one.pointer ?? "");
    form.refuse(error);
  }
  return { ...form, read, refuse };
}

/** What the fields show of a configuration. */
function shownOf(config) {
  const shown = {};
  const rest = structuredClone(config);
  for (const [name, path] of Object.entries(WHERE)) {
    const holder = path.length === 1 ? rest : rest[path[0]];
    const key = path.at(-1);
    if (!holder || holder[key] === undefined) continue;
    shown[name] = holder[key];
    delete holder[key];
    if (path.length > 1 && !Object.keys(holder).length) delete rest[path[0]];
  }
  if (Object.keys(rest).length) shown[OTHERS] = rest;
  return shown;
}

/** The configuration that the fields say; null where the other settings are no object. */
function configOf(given, before) {
  const others = given[OTHERS] ?? {};
  if (typeof others !== "object" || others === null || Array.isArray(others)) return null;
  const wanted = structuredClone(others);
  for (const [name, path] of Object.entries(WHERE)) {
    const holder = path.length === 1 ? wanted : path[0];
    if (EMPTY.includes(given[name])) {
      // An object that was there stays, although nothing is in it any more.
      if (path.length > 1 && before[path[0]]) wanted[path[0]] ??= {};
    } else if (path.length === 1) {
      holder[name] = given[name];
    } else {
      (wanted[path[0]] ??= {})[path[1]] = given[name];
    }
  }
  return wanted;
}

/** The merge patch that makes one JSON value of another; undefined where there is nothing to change. */
function patchOf(before, after) {
  if (!isObject(before) || !isObject(after))
    return JSON.stringify(before) === JSON.stringify(after) ? undefined : after;
  const patch = {};
  for (const name of Object.keys(before)) if (!(name in after)) patch[name] = null;
  for (const [name, value] of Object.entries(after)) {
    const change = name in before ? patchOf(before[name], value) : value;
    if (change !== undefined) patch[name] = change;
  }
  return Object.keys(patch).length ? patch : undefined;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** The field of the form for a pointer into a request, in the form of a pointer. */
function fieldAt(pointer) {
  const words = pointer.split("/").slice(1);
  if (words[0] !== "config" && words[0] !== "patch") return pointer;
  const path = words.slice(1);
  const found = Object.entries(WHERE).find(([, where]) => where.every((word, at) => path[at] === word));
  return found ? `/${found[0]}` : `/${OTHERS}`;
}
