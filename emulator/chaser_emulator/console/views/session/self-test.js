// The self-test of a sandbox: what a command finds there.

import { call } from "../../api.js";
import { attempt, open } from "../../dialog.js";
import { h } from "../../dom.js";
import { badge, facts } from "../../parts.js";

/** A button that examines the sandbox, and shows what was found. */
export function selfTestButton(session, signal) {
  const button = h("button", { type: "button", onclick: examine }, "Self-test");

  async function examine() {
    button.disabled = true;
    await attempt(async () => {
      const found = await call("self-test-session", { path: { id: session.id }, signal });
      open({ title: "Self-test", wide: true, content: () => h("div", { class: "body" }, contentOf(found)) });
    });
    button.disabled = false;
  }

  return button;
}

function contentOf({ status, runtime }) {
  const { chaser = {}, proxy = {}, tools = {}, tool_versions: versions = {} } = runtime;
  return [
    h(
      "p",
      null,
      badge(status, status === "ok" ? "good" : "warn"),
      status === "ok" ? " All that belongs to a sandbox is there." : " Something that belongs to a sandbox is missing.",
    ),
    h("h3", null, "What a command meets"),
    facts([
      ["Folder", runtime.cwd],
      ["User", runtime.user],
      ["Home", runtime.home],
      ["Shell", runtime.shell],
      ["Terminal", runtime.term],
      ["Language", runtime.lang],
      ["Mode", runtime.chaser_mode],
      ["Search path", runtime.path_entries?.join("\n") && h("pre", null, runtime.path_entries.join("\n"))],
      ["/workspace", runtime.workspace_root_present ? "is there" : "is missing"],
      ["Proxy", Object.entries(proxy).flatMap(([name, value]) => (value ? `${name}: ${value}` : [])).join(", ")],
      ["Image", chaser.image],
      ["Isolation", chaser.runtime_env],
    ]),
    h("h3", null, "Tools"),
    Object.keys(tools).length
      ? facts(Object.entries(tools).map(([name, where]) => [name, `${versions[name] ?? ""} (${where})`]))
      : h("p", { class: "soft" }, "None of those that it looks for."),
  ];
}
