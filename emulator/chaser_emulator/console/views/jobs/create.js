// A new job: first its kind, then what that kind takes, as the document says it.

import { call, Refusal } from "../../api.js";
import { ask, open } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOfSchema } from "../../form.js";
import { to } from "../../routes.js";

const LATER = ["run_at", "idempotency_key"];

/** Ask for a job and queue it; its page opens. */
export async function createJob() {
  const [{ worker_kind_specs: kinds }, operation] = await Promise.all([
    call("list-job-kinds"),
    call("get-operation", { path: { id: "create-job" } }),
  ]);
  const chosen = await choose(kinds);
  if (!chosen) return;
  const schema = operation.body["application/json"];
  const made = await ask({
    title: `New job: ${chosen.kind}`,
    text: chosen.summary,
    verb: "Queue it",
    form: formFor(chosen, schema),
    submit: (body) => submit(chosen.kind, body),
  });
  if (made) location.hash = to("/jobs/{id}", { id: made.id });
}

function choose(kinds) {
  return open({
    title: "New job: what is it to do?",
    content: (close) =>
      h(
        "ul",
        { class: "body choices" },
        kinds.map((one) =>
          h(
            "li",
            null,
            h(
              "button",
              { type: "button", onclick: () => close(one) },
              h("strong", null, one.kind),
              h("span", null, one.summary),
            ),
          ),
        ),
      ),
  });
}

function formFor({ kind, input_examples: examples }, schema) {
  const input = fieldsOf(inputOf(schema, kind));
  const properties = {};
  const initial = {};
  for (const [name, one] of Object.entries(input.properties)) {
    const example = examples.map((given) => given?.[name]).find((given) => given !== undefined);
    properties[name] = typeof example === "string" ? { examples: [example], ...one } : one;
    // Lists are easier to change than to begin.
    if (Array.isArray(example) && typeof example[0] === "object") initial[name] = example;
  }
  for (const name of LATER) properties[name] = schema.properties[name];
  properties.run_at = { examples: ["2026-01-15T10:00:00Z"], ...properties.run_at };
  const shown = new Set(examples.flatMap((given) => Object.keys(given ?? {})));
  return formOfSchema({ ...input, properties }, { initial, open: [...shown], lines: ["command"], each: { steps: "step" } });
}

/** The input that a kind takes: the document tells them apart by a chain of conditions. */
function inputOf(schema, kind) {
  for (let node = schema; node?.if; node = node.else) {
    if (node.if.properties.kind.const === kind) return node.then.properties.input;
  }
  return {};
}

/** An input as one object: of two ways to say the same the last, the usual one, and nothing that has one value only. */
function fieldsOf(schema) {
  const usual = schema.else ? fieldsOf(schema.else) : { properties: {}, required: [] };
  const own = Object.entries(schema.properties ?? {}).filter(([, one]) => one.const === undefined);
  return {
    properties: { ...Object.fromEntries(own), ...usual.properties },
    required: [...(schema.required ?? []), ...usual.required],
    allOf: schema.allOf,
    anyOf: schema.anyOf,
    oneOf: schema.oneOf,
  };
}

async function submit(kind, given) {
  const body = { kind, input: {} };
  for (const [name, value] of Object.entries(given)) (LATER.includes(name) ? body : body.input)[name] = value;
  try {
    return await call("create-job", { body });
  } catch (error) {
    // The fields of the form are those of the input.
    for (const one of error instanceof Refusal ? error.problems : []) {
      one.pointer = one.pointer?.replace(/^\/input(?=\/|$)/, "");
      one.message = one.message.replaceAll("/input/", "");
    }
    throw error;
  }
}
