// The choice of several operations: searched for and ticked, whole tags too, and wildcards typed as they are.

import { allOperations } from "../../api.js";
import { fill, freshId, h } from "../../dom.js";

/** What a rule may name: tags first, then operations, each {value, title}. */
export function choices() {
  const ours = allOperations().filter((one) => one.plane === "api");
  const tags = [...new Set(ours.map((one) => one.tag))].sort();
  return [
    ...tags.map((tag) => ({ value: tag, title: `all of ${tag}` })),
    ...ours.map((one) => ({ value: one.id, title: one.summary })),
  ];
}

/**
 * A field for several of them, {node, input, chosen(), complain(message)}; `onChange(chosen)` is called when they are
 * others. What was chosen stands above as buttons that take it out again.
 */
export function operationsField({ chosen = [], onChange = () => {} }) {
  const id = freshId("operations");
  const picked = new Set(chosen);
  const search = h("input", {
    id, type: "search", autocomplete: "off", spellcheck: "false",
    placeholder: "Search, or a wildcard such as *-session",
    "aria-describedby": `${id}-hint ${id}-problem`, oninput: filter, onkeydown: enter,
  });
  const problem = h("p", { class: "problem", id: `${id}-problem`, hidden: true });
  const tokens = h("ul", { class: "tokens", "aria-label": "Chosen operations" });
  const found = h("p", { class: "hint", role: "status" });
  const rows = choices().map((one) => {
    const box = h("input", { type: "checkbox", value: one.value, onchange: () => set(one.value, box.checked) });
    const words = `${one.value} ${one.title}`.toLowerCase();
    return {
      ...one,
      box,
      words,
      node: h(
        "label",
        null,
        box,
        h("span", null, h("code", null, one.value), " ", h("span", { class: "soft" }, one.title)),
      ),
    };
  });
  const list = h(
    "div",
    { class: "operation-choices", role: "group", "aria-label": "Operations and tags", tabindex: 0 },
    rows.map((row) => row.node),
  );
  const node = h(
    "fieldset",
    { class: "field operations" },
    h("legend", null, "operations"),
    h("p", { class: "hint", id: `${id}-hint` }, "None means every operation that can have the fault."),
    tokens,
    h("label", { for: id, class: "unseen" }, "Search for operations"),
    search,
    list,
    found,
    problem,
  );

  function set(value, wanted) {
    if (wanted) picked.add(value);
    else picked.delete(value);
    draw();
    onChange([...picked]);
  }

  function draw() {
    for (const row of rows) row.box.checked = picked.has(row.value);
    fill(
      tokens,
      [...picked].map((value) => {
        const out = () => {
          set(value, false);
          search.focus();
        };
        return h(
          "li",
          null,
          h("button", { type: "button", class: "small", "aria-label": `Take out ${value}`, onclick: out }, value, " ×"),
        );
      }),
    );
    tokens.hidden = picked.size === 0;
  }

  function matching() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => words.every((word) => row.words.includes(word)));
  }

  function filter() {
    const kept = new Set(matching());
    for (const row of rows) row.node.hidden = !kept.has(row);
    const wild = search.value.includes("*");
    fill(
      found,
      wild
        ? `Enter adds ${search.value} as a wildcard.`
        : search.value
          ? `${kept.size} found; Enter takes the first.`
          : "",
    );
  }

  function enter(event) {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || search.value.trim() === "") return;
    event.preventDefault();
    const wanted = search.value.trim();
    const value = wanted.includes("*") ? wanted : (rows.find((row) => row.value === wanted) ?? matching()[0])?.value;
    if (value === undefined) return;
    search.value = "";
    filter();
    set(value, true);
  }

  draw();
  return {
    node,
    input: search,
    chosen: () => [...picked],
    complain(message) {
      problem.hidden = !message;
      fill(problem, message ?? "");
      if (message) search.setAttribute("aria-invalid", "true");
      else search.removeAttribute("aria-invalid");
    },
  };
}
