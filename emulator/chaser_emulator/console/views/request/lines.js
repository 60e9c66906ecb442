// A request as lines to be pasted: for a shell, and for the SDK, with what they need before.

import { call } from "../../api.js";
import { attempt } from "../../dialog.js";
import { h } from "../../dom.js";
import { copy, copyable } from "../../parts.js";

/** Copy "curl" or "sdk" as it works wherever it is pasted: the call with the lines that make its client. */
export async function copyLine(number, kind) {
  await attempt(async () => {
    const lines = await call("get-request-lines", { path: { number } });
    if (lines[kind] === undefined) throw new Error("The SDK has no call for it; copy it as curl.");
    await copy(kind === "sdk" ? `${lines.sdk_setup}\n${lines.sdk}` : lines[kind]);
  });
}

/** A section with both. */
export function linesOf(lines) {
  return h(
    "section",
    { class: "card lines", "aria-labelledby": "lines" },
    h("h2", { id: "lines" }, "Make it again yourself"),
    lines.needs.length > 0 && [
      h("p", null, "What belongs there before:"),
      h("ul", null, lines.needs.map(needOf)),
    ],
    h("h3", null, "In a shell"),
    copyable(lines.curl, "Copy", "Copy the line of curl"),
    h("h3", null, "With the SDK for Python"),
    lines.sdk
      ? [copyable(lines.sdk, "Copy", "Copy the call of the SDK"), setupOf(lines)]
      : h("p", { class: "soft" }, "The SDK has no call for it."),
    lines.note && h("p", { class: "soft" }, lines.note),
  );
}

function needOf(one) {
  return h("li", null, h("code", null, one.kind === "file" ? one.name : `$${one.name}`), `: ${one.what}`);
}

function setupOf(lines) {
  const setup = copyable(lines.sdk_setup, "Copy", "Copy the lines before");
  return h("details", null, h("summary", null, "Where client comes from"), setup);
}
