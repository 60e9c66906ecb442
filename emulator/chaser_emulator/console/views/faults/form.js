// The form of a new fault: which calls it is about, what happens to them, and to how many.

import { call, operation as short } from "../../api.js";
import { fill, freshId, h } from "../../dom.js";
import { fieldsOf } from "../../fields.js";
import { formAround } from "../../form.js";
import { effectFields, effectOf, EFFECTS } from "./effects.js";
import { operationsField } from "./operations.js";

const WHICH = ["times", "calls", "probability"];
const WHOSE = ["path", "account", "key", "seed", "id"];
const OF_WEBHOOKS = ["events", "webhook_id"];

/** A form of dialog.js, begun with a rule as it would be sent. */
export async function faultForm(initial = {}) {
  const [operation, refusals] = await Promise.all(
    [call("get-operation", { path: { id: "add-fault" } }), call("list-refusals")],
  );
  const schema = operation.body["application/json"];
  let effect = effectOf(initial) ?? EFFECTS[0];
  let parts = null;

  const operations = operationsField(
    { chosen: [initial.operations ?? []].flat(), onChange: () => effect.name === "error" && drawEffect() },
  );
  const explained = h("p", { class: "hint", id: freshId("about") });
  const kind = h(
    "select",
    { id: freshId("kind"), "aria-describedby": explained.id, onchange: chooseEffect },
    EFFECTS.map((one) => h("option", { value: one.name, selected: one === effect }, one.title)),
  );
  const inner = h("div", { class: "effect" });
  const which = fieldsOf(part([...WHICH]), {
    initial: { ...initial, calls: initial.calls === undefined ? undefined : [initial.calls].flat().join(", ") },
    of: (name) => (name === "times" ? { hint: "How often it acts at most; without it, always." } : {}),
  });
  const events = fieldsOf(
    part(OF_WEBHOOKS),
    { initial: { ...initial, events: initial.events && [initial.events].flat() } },
  );
  const whose = fieldsOf(part(WHOSE), { initial });
  const ofWebhooks = h("div", { class: "fields" }, events.fields.map((field) => field.node));
  const whoseIsSet = WHOSE.some((name) => initial[name] !== undefined);
  const content = [
    operations.node,
    h("div", { class: "field" }, h("label", { for: kind.id }, "what happens"), kind, explained),
    inner,
    ofWebhooks,
    h("div", { class: "thirds" }, which.fields.map((field) => field.node)),
    h(
      "details",
      { open: whoseIsSet },
      h("summary", null, "Only for some, and by which name"),
      whose.fields.map((field) => field.node),
    ),
  ];

  function part(names) {
    const properties = Object.fromEntries(names.map((name) => [name, schema.properties[name]]));
    if (properties.calls) properties.calls = { type: "string", description: "As 2,3 or 4-6 or 5-; counted from 1." };
    if (properties.events) properties.events = { ...properties.events, type: "array" };
    return { properties };
  }

  function codes() {
    const fits = selected(operations.chosen());
    const per = new Map();
    for (const one of refusals.refusals) if (fits(one.operation)) per.set(one.code, (per.get(one.code) ?? 0) + 1);
    return [...per.keys()].sort();
  }

  function chooseEffect() {
    effect = EFFECTS.find((one) => one.name === kind.value);
    drawEffect();
  }

  function drawEffect() {
    let before = initial[effect.name];
    try {
      if (parts?.name === effect.name) before = parts.read();
    } catch {
      // What cannot be read begins anew.
    }
    fill(explained, effect.about);
    const made = effectFields(effect.name, schema.properties[effect.name], before, codes());
    const when = fieldsOf({ properties: { when: schema.properties.when } }, { initial });
    parts = { ...made, name: effect.name, when: effect.timed ? when : null };
    fill(inner, made.node, effect.timed ? when.fields.map((field) => field.node) : null);
    ofWebhooks.hidden = effect.name !== "webhook";
    operations.node.hidden = effect.name === "webhook";
  }

  function read() {
    const body = {};
    let readable = true;
    const take = (reading) => {
      try {
        reading();
      } catch {
        readable = false;
      }
    };
    if (effect.name !== "webhook" && operations.chosen().length) body.operations = operations.chosen();
    take(() => {
      body[effect.name] = parts.read();
    });
    if (parts.when) take(() => Object.assign(body, parts.when.read()));
    if (effect.name === "webhook") take(() => Object.assign(body, events.read()));
    take(() => Object.assign(body, which.read()));
    take(() => Object.assign(body, whose.read()));
    if (!readable) throw new Error("cannot be read");
    return body;
  }

  function complain(words, message) {
    if (words[0] === "operations") {
      operations.complain(message);
      return true;
    }
    if (words[0] === effect.name) return parts.complain(words.slice(1), message);
    return [parts.when, events, which, whose].some((one) => one?.complain(words, message));
  }

  function clear() {
    operations.complain(null);
    for (const one of [parts, parts.when, events, which, whose]) one?.clear();
  }

  drawEffect();
  const form = formAround(content, { read, complain, clear });
  form.node.classList.add("fault-form");
  return form;
}

/** Whether an operation is one of those that are named by id, tag or wildcard; with none, any is. */
function selected(names) {
  if (!names.length) return () => true;
  const wild = names.map((name) => new RegExp(
    `^${name.split("*").map((one) => one.replace(/\W/g, "\\$&")).join(".*")}$`,
  ));
  return (id) => wild.some((one) => one.test(id)) || names.includes(short(id).tag);
}
