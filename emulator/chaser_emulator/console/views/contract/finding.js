// One finding of a run in full: what was promised, what came, and the lines that show it again.

import { open } from "../../dialog.js";
import { h } from "../../dom.js";
import { pretty } from "../../format.js";
import { copyable, facts } from "../../parts.js";

/** Show a finding in a dialog. */
export function showFinding(one) {
  return open({
    title: "Finding",
    wide: true,
    content: () =>
      h(
        "div",
        { class: "body finding" },
        h("p", { class: "promise" }, one.promise),
        facts([
          ["Came", one.came],
          ["Document", one.pointer && h("code", null, one.pointer)],
          ["Operation", one.operation],
          ["Found by", h("code", null, one.part)],
          ["Accepted", one.owner && `by ${one.owner} since ${one.date}: ${one.reason}`],
        ]),
        one.repeats === false
          ? h(
            "p",
            { class: "soft" },
            "It did not come again with these requests alone: what was there before has a part in it.",
          )
          : null,
        line("By curl", one.curl),
        line("By the SDK", one.sdk),
        line("The part again", one.again),
        steps(one.steps ?? []),
      ),
  });
}

function line(title, text) {
  return text ? [h("h3", null, title), copyable(text)] : null;
}

function steps(all) {
  if (!all.length) return null;
  return [
    h("h3", null, all.length === 1 ? "The request" : `The ${all.length} requests that lead to it`),
    h(
      "ol",
      { class: "finding-steps" },
      all.map((one) =>
        h(
          "li",
          null,
          h(
            "details",
            null,
            h(
              "summary",
              null,
              h("code", null, `${one.method} ${one.target}`),
              ` ${one.status ?? one.trouble ?? "no answer"}`,
            ),
            body("Sent", one.request_body),
            body("Came", one.body),
          ),
        ),
      ),
    ),
  ];
}

function body(title, value) {
  if (value === undefined || value === null || value === "") return null;
  const text = typeof value === "object" ? `base64: ${value.base64}` : value;
  return [h("p", { class: "soft" }, title), h("pre", { tabindex: 0 }, readable(text))];
}

function readable(text) {
  try {
    return pretty(JSON.parse(text));
  } catch {
    return text;
  }
}
