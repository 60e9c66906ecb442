// A list of objects in a form: the fields of each, one more, and one less.

import { append, fill, h } from "./dom.js";

/**
 * Made like the inputs of inputs.js, with `inner`, by which the fields of each are told what is wrong. `fieldsFor(initial)`
 * makes the fields of one, of which those that come first are always in sight; `called` is what one is called.
 */
export function objectsOf(id, value, called, fieldsFor) {
  const list = h("ol", { class: "objects" });
  const add = h("button", { type: "button", class: "small", id, onclick: () => focusOn(begin({})) }, `Add a ${called}`);
  let all = [];

  function begin(initial) {
    const fields = fieldsFor(initial);
    const first = fields.fields.filter((field) => field.first).map((field) => field.node);
    const more = fields.fields.filter((field) => !field.first).map((field) => field.node);
    const legend = h("legend");
    const remove = h("button", { type: "button", class: "small", onclick: () => end(item) }, "Remove");
    const inner = h("div", { class: "inner" });
    append(inner, first.length ? first : more);
    if (first.length && more.length) append(inner, h("details", null, h("summary", null, "More"), more));
    const node = h("li", null, h("fieldset", { class: "field object" }, legend, inner, remove));
    const item = { fields, node, legend, remove };
    all.push(item);
    list.append(node);
    count();
    return item;
  }

  function end(item) {
    all = all.filter((one) => one !== item);
    item.node.remove();
    count();
    add.focus();
  }

  function count() {
    all.forEach(({ legend, remove }, at) => {
      fill(legend, `${called} ${at + 1}`);
      remove.setAttribute("aria-label", `Remove ${called} ${at + 1}`);
    });
  }

  function read() {
    let wrong = null;
    const found = all.map(({ fields }) => {
      try {
        return fields.read();
      } catch (error) {
        wrong = error;
        return null;
      }
    });
    if (wrong) throw wrong;
    return found.length ? found : undefined;
  }

  for (const one of value) begin(one);
  const inner = {
    clear: () => all.forEach(({ fields }) => fields.clear()),
    complain: ([at, ...words], message) => all[Number(at)]?.fields.complain(words, message) ?? false,
  };
  return { input: add, node: h("div", null, list, add), kind: "several-objects", group: true, nothing: [], inner, read };
}

const focusOn = ({ fields }) => fields.fields[0]?.input.focus();
