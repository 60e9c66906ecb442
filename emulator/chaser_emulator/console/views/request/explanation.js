// Why a request was refused: the rule, where it stands, what is accepted, and the request that would have passed.

import { operation } from "../../api.js";
import { attempt, notice } from "../../dialog.js";
import { fill, h } from "../../dom.js";
import { pretty, seconds } from "../../format.js";
import { copyable, facts } from "../../parts.js";
import { to } from "../../routes.js";
import { canSend, sendPassing } from "./passing.js";

/** A section about `exchange`, of what explain-request says of it. */
export function explanationOf(exchange, said) {
  return h(
    "section",
    { class: "card explanation", "aria-labelledby": "why" },
    h("h2", { id: "why" }, exchange.status >= 400 || said.step ? "Why it was refused" : "What of it nobody reads"),
    h("p", { class: "summary" }, said.summary),
    said.step && h("p", { class: "soft" }, `Step: ${said.step}`),
    (said.rules ?? []).map((rule) => ruleOf(rule, said)),
    said.state && [h("h3", null, "How things stood"), facts(Object.entries(said.state).map(named))],
    said.fault && faultOf(said.fault),
    said.ignored && [h("h3", null, "Sent, and read by nobody"), listOf(said.ignored)],
    (said.hints ?? []).map((one) => h("p", null, "Perhaps: ", h("code", null, one))),
    wayOn(exchange, said),
  );
}

function ruleOf(rule, said) {
  const where = [rule.in, rule.pointer].filter(Boolean).join(" ");
  return h(
    "div",
    { class: "rule" },
    h("h3", null, where || "The rule"),
    h("p", null, rule.message),
    facts([
      ["It was", rule.value === undefined ? null : h("code", null, shown(rule.value))],
      ["Accepted", rule.accepted === undefined ? null : h("code", null, shown(rule.accepted))],
      ["The document says", rule.description],
      [
        "Written at",
        h("span", null, h("code", null, rule.document), rule.file ? ` (${rule.file})` : "", " ", swagger(said.operation)),
      ],
    ]),
    (rule.rulings ?? []).map((one) => h("p", { class: "soft" }, `Assumption ${one.number} of the emulator: ${one.text}`)),
  );
}

/** The operation in Swagger UI, which the emulator serves. */
export function swagger(id) {
  if (!id) return null;
  const { tag } = operation(id);
  const href = `../swagger-ui#/${encodeURIComponent(tag)}/${encodeURIComponent(id)}`;
  return h("a", { href, target: "_blank", rel: "noopener" }, "the operation in Swagger");
}

function faultOf(fault) {
  const link = h("a", { href: to("/faults") }, fault.id);
  return h("p", null, "A planned fault had a hand in it: ", link, fault.removed ? "; it was removed since." : ".");
}

function wayOn(exchange, said) {
  if (said.why_not) {
    return [h("h3", null, "What would pass"), h("p", null, `Nothing near it: ${said.why_not}.`), note(said)];
  }
  if (!said.passes) return note(said);
  const steps = [...(said.first ?? []), said.passes];
  const state = h("div", { role: "status" });
  const send = async () => {
    button.disabled = true;
    fill(state, h("p", null, "Sending…"));
    const went = await attempt(async () => {
      const number = await sendPassing(exchange, said);
      notice("It passed.", "good");
      location.hash = to("/requests/{number}", { number });
    });
    button.disabled = false;
    if (!went) fill(state);
  };
  const button = h("button", { type: "button", class: "primary", onclick: send }, "Send the one that passes");
  const hindrance = canSend(said);
  return [
    h("h3", null, steps.length > 1 ? "What would pass, in this order" : "What would pass"),
    said.wait_seconds && h("p", null, `Wait ${seconds(said.wait_seconds)} before.`),
    said.acts_as && h("p", null, `It takes the key of ${said.acts_as.email}, ${said.acts_as.role}.`),
    said.changes && listOf(said.changes),
    steps.map((one) => copyable(one.curl, "Copy", "Copy as curl what would pass")),
    said.passes.sdk && copyable(said.passes.sdk, "Copy", "Copy as SDK call what would pass"),
    note(said),
    hindrance ? h("p", { class: "soft" }, hindrance) : h("div", { class: "actions" }, button),
    state,
  ];
}

const listOf = (texts) => h("ul", null, texts.map((one) => h("li", null, h("code", null, one))));

const named = ([name, value]) => [name.replaceAll("_", " "), shown(value)];

const note = (said) => said.note && h("p", { class: "soft" }, `${said.note[0].toUpperCase()}${said.note.slice(1)}.`);

function shown(value) {
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value.join(", ") : pretty(value);
}
