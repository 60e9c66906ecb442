// Seeds: what a world is to hold. Those that come with the emulator, and one of one's own.

import { call } from "../../api.js";
import { attempt, open } from "../../dialog.js";
import { fill, freshId, h } from "../../dom.js";
import { copyable } from "../../parts.js";

export async function show({ signal }) {
  const { seeds } = await call("list-ready-seeds", { signal });
  return h(
    "div",
    null,
    h(
      "section",
      { class: "card" },
      h("h2", null, "Ready ones"),
      h("ul", { class: "arranged whole" }, seeds.map(readySeed)),
    ),
    ownSeed(),
  );
}

function readySeed({ name, description }) {
  const apply = () => attempt(async () => tellMade(name, await call("apply-ready-seed", { path: { name } })));
  return h(
    "li",
    null,
    h("div", null, h("strong", null, name), h("div", { class: "soft" }, description)),
    h("button", { type: "button", class: "small", "aria-label": `Apply the seed ${name}`, onclick: apply }, "Apply"),
  );
}

function ownSeed() {
  const id = freshId("seed");
  const problem = h("div", { class: "problem", id: `${id}-problem`, role: "alert" });
  const area = h("textarea", {
    id, rows: 10, class: "code", spellcheck: "false", "aria-describedby": `${id}-problem`,
    placeholder: "workspaces:\n  - name: demo\n    session_type: sandbox\n    files: {hello.txt: hello}",
  });
  let name = "seed.yaml";
  const file = h("input", {
    id: `${id}-file`, type: "file", accept: ".yaml,.yml,.json",
    onchange: async () => {
      if (!file.files[0]) return;
      name = file.files[0].name;
      area.value = await file.files[0].text();
      area.focus();
    },
  });
  const apply = async (event) => {
    event.preventDefault();
    fill(problem);
    area.removeAttribute("aria-invalid");
    try {
      const made = await call("apply-seed", { query: { file: name }, body: area.value, type: "application/yaml" });
      tellMade(name, made);
    } catch (error) {
      fill(problem, mistakes(error));
      area.setAttribute("aria-invalid", "true");
      area.focus();
    }
  };
  return h(
    "form",
    { class: "card form pasted", novalidate: true, onsubmit: apply },
    h("h2", null, "One of your own"),
    h("div", { class: "field" }, h("label", { for: file.id }, "A file"), file),
    h("div", { class: "field" }, h("label", { for: id }, "Or the seed itself, in YAML"), area, problem),
    h("div", { class: "actions" }, h("button", { class: "primary" }, "Apply it")),
  );
}

/** All that is wrong with a seed, each mistake with its place. */
function mistakes(error) {
  if (!error.problems?.length) return h("p", null, error.message);
  return h(
    "ul",
    null,
    error.problems.map((one) => h("li", null, one.pointer ? `${one.pointer}: ${one.message}` : one.message)),
  );
}

function tellMade(name, made) {
  const text = JSON.stringify(made, null, 2);
  // Nobody waits for the dialog to be closed.
  open({
    title: `Applied ${name}`,
    wide: true,
    content: () =>
      h(
        "div",
        { class: "body" },
        Object.keys(made).length ? [
          h("p", null, "The ids of what was made:"),
          copyable(text),
        ] : h("p", null, "It made nothing."),
      ),
  });
}
