// How the sink answers: the names that fail or are late, for how long, and their way back.

import { call } from "../../api.js";
import { ask, attempt } from "../../dialog.js";
import { fill, h } from "../../dom.js";
import { formOf } from "../../form.js";
import { seconds } from "../../format.js";
import * as live from "../../live.js";

/** A section that says it, and lets it be changed. */
export async function behaviours({ signal }) {
  const list = h("ul", { class: "behaviours" });
  const said = h("p", { class: "soft", role: "status" });
  const fail = h("button", { type: "button", onclick: letItFail }, "Let it fail or be late");
  let shown = null;

  async function draw() {
    const { behaviours: found } = await call("list-sink-behaviours", { signal });
    if (shown === JSON.stringify(found)) return;
    shown = JSON.stringify(found);
    const inside = list.contains(document.activeElement);
    fill(list, found.map(itemOf));
    list.hidden = found.length === 0;
    fill(said, found.length ? "" : "It answers 200 at once, under every name.");
    if (inside) (list.querySelector("button") ?? fail).focus();
  }

  await draw();
  live.changed(["sink"], draw, signal);
  return h(
    "section",
    { class: "card", "aria-labelledby": "behaviour" },
    h("div", { class: "bar-top" }, h("h2", { id: "behaviour" }, "How it answers"), fail),
    said,
    list,
  );
}

function itemOf(one) {
  const name = one.name === "*" ? "Every name without its own" : ["The name ", h("code", null, one.name)];
  const late = one.delay ? ` after ${seconds(one.delay)}` : "";
  const times = one.times === undefined ? "from now on" : one.times === 1 ? "once more" : `${one.times} times more`;
  const whom = one.name === "*" ? "all" : one.name;
  const named = { class: "small", "aria-label": `Let ${whom} answer 200 again` };
  const mend = h("button", { type: "button", ...named }, "Answer 200 again");
  mend.addEventListener("click", () => attempt(() => call("set-sink-behaviour", { body: { name: one.name } })));
  return h("li", null, h("span", null, name, " answers ", h("strong", null, one.status), `${late}, ${times}.`), mend);
}

async function letItFail() {
  const form = await formOf("set-sink-behaviour", {
    open: ["name", "status", "delay", "times"],
    initial: { status: 503 },
    labels: { name: "Name", status: "Status", delay: "Delay in seconds", times: "How many times" },
  });
  await ask({
    title: "How the sink answers",
    text: "A delivery that fails is tried again; its page shows when.",
    verb: "Do so",
    form,
    submit: (body) => call("set-sink-behaviour", { body }),
  });
}
