// How an assistant is to work: what it is told, what it may use, and at which bounds an alarm is raised.

import { call } from "../../api.js";
import { ask, notice } from "../../dialog.js";
import { h } from "../../dom.js";
import { pretty } from "../../format.js";
import { copyable, facts } from "../../parts.js";
import { following } from "../following.js";
import { configForm } from "./form.js";

export function show({ id, signal }) {
  return following({
    tags: ["assistants"],
    load: async () => {
      const { config, config_version: version } = (await call("get-assistant", { path: { id }, signal })).assistant;
      return { config, version };
    },
    say: ({ version }) => `The configuration is at version ${version}.`,
    draw: ({ config, version }) => draw(id, config, version),
    signal,
  });
}

function draw(id, config, version) {
  const edit = async () => {
    const form = await configForm({ config });
    const submit = async ({ patch }) => {
      if (!Object.keys(patch).length) return notice("Nothing was changed.");
      return call("update-assistant", { path: { id }, body: { config: patch } });
    };
    await ask({ title: "The configuration", verb: "Save", form, submit });
  };
  const { model = {}, tools = {}, alerts = [] } = config;
  return h(
    "section",
    { class: "card" },
    h(
      "div",
      { class: "bar-top" },
      h("h2", null, `Configuration, version ${version}`),
      h("button", { type: "button", class: "primary", onclick: edit }, "Edit"),
    ),
    Object.keys(config).length
      ? null
      : h("p", { class: "soft" }, "It is empty: nothing is said of a model, of tools or of what it is told."),
    facts([
      ["Provider", model.provider],
      ["Model", model.model_id],
      [
        "Tools",
        Object.entries(tools)
          .filter(([, has]) => has === true)
          .map(([name]) => name)
          .join(", "),
      ],
      ["Alerts", alerts.map((one) => `more than ${one.threshold} ${one.metric} in ${one.window_seconds} s`).join("; ")],
    ]),
    config.system_prompt
      ? [h("h3", { class: "below" }, "What it is told"), h("pre", { tabindex: 0 }, config.system_prompt)]
      : null,
    Object.keys(config).length
      ? h("details", { class: "below" }, h("summary", null, "All of it, as JSON"), copyable(pretty(config)))
      : null,
  );
}
