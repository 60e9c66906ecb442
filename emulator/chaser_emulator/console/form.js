// Forms made of the schemas of the document, so that what may be said, and how, is written there alone.

import { call, Refusal, wasGivenUp } from "./api.js";
import { fill, h } from "./dom.js";
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
  const first = fields.filter((field) => field.first).map((field) => field.node);
  const more = fields.filter((field) => !field.first).map((field) => field.node);
  // With nothing that is needed, all is shown.
  const content = first.length && more.length
    ? [first, h("details", null, h("summary", null, "More"), more)]
    : [first, more];
  return { ...formAround(content, every), field: (name) => fields.find((one) => one.name === name) };
}

/**
 * A form around fields: `content` is in it, `read()` answers what they say or throws once one that cannot be read has said
 * so, `complain(words, message)` lets the one at a JSON pointer say what is wrong with it, and answers whether there is one,
 * and `clear()` takes all of that back.
 */
export function formAround(content, { read: readAll, complain, clear: clearAll }) {
  const problems = h("div", { class: "problems", role: "alert" });
  const node = h("form", { novalidate: true, class: "form", onkeydown: sendByKey }, problems, content);
  const firstWrong = () => node.querySelector('[aria-invalid="true"]');

  function read() {
    clear();
    try {
      return readAll();
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
      if (!complain(words, problem.message)) left.push(`${problem.pointer ?? ""} ${problem.message}`.trim());
    }
    if (left.length || !firstWrong()) {
      fill(problems, h("p", { class: "problem" }, left.length ? left.join("; ") : error.message));
    }
    focusOnFirst();
  }

  function clear() {
    fill(problems);
    clearAll();
  }

  function focusOnFirst() {
    const wrong = firstWrong();
    wrong?.closest("details")?.setAttribute("open", "");
    wrong?.focus();
  }

  function busy(flag) {
    for (const button of node.querySelectorAll("button")) button.disabled = flag;
  }

  return { node, read, refuse, busy };
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
