// Forms made of the schemas of the document, so that what may be said, and how, is written there alone.

import { call, Refusal, wasGivenUp } from "./api.js";
import { append, fill, h } from "./dom.js";
import { fieldsOf, hasFields } from "./fields.js";

/**
 * The form of an operation's JSON body. Options: `only` and `except` (names of fields), `initial` (a body), `labels` and
 * `hints` (texts by name), `open` (names that are not hidden under "More", though they are not required), `lines` (names of
 * texts that may have several lines where the document does not show it), `each` (by the name of a list of objects what one
 * of them is called, to ask for them one by one).
 *
 * It is {node, read(), refuse(error), busy(flag), field(name)}: `read` answers the body, or undefined where a field
 * cannot be read and says so itself.
 */
export async function formOf(operationId, options = {}) {
  const operation = await call("get-operation", { path: { id: operationId } });
  const schema = operation.body?.["application/json"];
  if (!schema) throw new Error(`${operationId} takes no JSON`);
  return formOfSchema(schema, options);
}

/** The same of a schema of an object. */
export function formOfSchema(schema, options = {}) {
  const { only, except = [], initial = {}, labels = {}, hints = {}, open = only ?? [], lines = [], each = {} } = options;
  if (!only && !hasFields(schema)) return formOfOne(schema, options);
  const every = fieldsOf(schema, {
    initial,
    of: (name) => ({
      label: labels[name], hint: hints[name], open: open.includes(name), lines: lines.includes(name), each: each[name],
    }),
    names: only,
    except,
  });
  const { fields } = every;
  const first = fields.filter((field) => field.first);
  const more = fields.filter((field) => !field.first);
  const problems = h("div", { class: "problems", role: "alert" });
  const node = h("form", { novalidate: true, class: "form", onkeydown: sendByKey }, problems);
  // With nothing that is needed, all is shown.
  append(node, (first.length ? first : more).map((field) => field.node));
  if (first.length && more.length) {
    append(node, h("details", null, h("summary", null, "More"), more.map((field) => field.node)));
  }

  function read() {
    clear();
    try {
      return every.read();
    } catch {
      focusOnFirst();
      return undefined;
    }
  }

  function refuse(error) {
    if (wasGivenUp(error)) return;
    clear();
    const left = [];
    for (const problem of error instanceof Refusal ? error.problems : []) {
      const words = (problem.pointer ?? "").split("/").slice(1).map((one) => one.replaceAll("~1", "/").replaceAll("~0", "~"));
      if (!every.complain(words, problem.message)) left.push(`${problem.pointer ?? ""} ${problem.message}`.trim());
    }
    if (left.length || !node.querySelector('[aria-invalid="true"]')) {
      fill(problems, h("p", { class: "problem" }, left.length ? left.join("; ") : error.message));
    }
    focusOnFirst();
  }

  function clear() {
    fill(problems);
    every.clear();
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

/** The form of a body that has no fields of its own: it is asked for as a whole. */
function formOfOne(schema, { initial, labels = {}, hints = {} }) {
  const given = initial === undefined ? {} : { body: initial };
  const form = formOfSchema({ properties: { body: schema }, required: ["body"] }, { initial: given, labels, hints });
  const refuse = (error) => {
    const problems = (error.problems ?? []).map((one) => ({ ...one, pointer: `/body${one.pointer ?? ""}` }));
    form.refuse(Object.assign(error, { problems }));
  };
  return { ...form, read: () => form.read()?.body, refuse };
}

/** In a text of several lines Enter makes another one; with Ctrl or ⌘ it sends the form. */
function sendByKey(event) {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  event.currentTarget.requestSubmit();
}
