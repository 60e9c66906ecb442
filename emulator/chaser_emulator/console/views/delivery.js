// One delivery: what it carries, every attempt on a time line, and what can be done with it.

import { call } from "../api.js";
import { attempt, confirm } from "../dialog.js";
import { fill, h } from "../dom.js";
import { pretty, short } from "../format.js";
import { gently } from "../gently.js";
import * as live from "../live.js";
import { badge, copyable, facts, moment, style, top } from "../parts.js";
import { to } from "../routes.js";
import { placeOf } from "./places.js";
import { timeline } from "./webhooks/timeline.js";

const HERE = "/webhooks/deliveries/{id}";

export async function show({ params, signal }) {
  await style("webhooks");
  const ask = () =>
    Promise.all([
      call("list-delivery-attempts", { path: { id: params.id }, signal }),
      call("get-clock", { signal }),
    ]);
  const head = h("div", { class: "card" });
  const again = gently(async () => draw(await ask()), signal);
  const actions = actionsOf(params.id, again);
  const state = h("span");
  const line = timeline();
  const draw = ([tried, clock]) => {
    fill(state, badge(tried.delivery.status));
    actions.draw(tried.delivery);
    fill(head, factsOf(tried));
    line.draw(tried, clock);
  };
  const found = await ask();
  draw(found);
  live.changed(["webhooks", "deliveries"], again, signal);
  const [{ delivery, body }] = found;
  return h(
    "div",
    { class: "delivery" },
    top([delivery.event_type, " ", h("code", null, short(delivery.id)), " ", state], actions.nodes),
    h(
      "div",
      { class: "sides" },
      h(
        "div",
        null,
        head,
        h("section", { class: "card", "aria-labelledby": "attempts" }, h("h2", { id: "attempts" }, "Attempts"), line.node),
      ),
      h(
        "section",
        { class: "card", "aria-labelledby": "payload" },
        h("h2", { id: "payload" }, "Payload"),
        copyable(pretty(JSON.parse(body))),
        h("details", null, h("summary", null, "The body as it is sent"), copyable(body)),
      ),
    ),
  );
}

function factsOf({ delivery, replays }) {
  const place = placeOf(delivery);
  const resource = `${delivery.resource_type.replaceAll("_", " ")} ${delivery.resource_id}`;
  const link = (id) => h("a", { href: to(HERE, { id }) }, h("code", null, short(id)));
  const hook = to("/webhooks", {}, { webhook_id: delivery.webhook_id });
  return facts([
    ["Delivery", h("code", null, delivery.id)],
    ["Event", h("code", null, delivery.event_id)],
    ["About", place ? h("a", { href: place }, resource) : resource],
    ["To", h("a", { href: hook, class: "target-url" }, delivery.target_url)],
    ["Made", moment(delivery.created_at)],
    ["Delivered", moment(delivery.delivered_at)],
    ["Given up", moment(delivery.discarded_at)],
    ["Repeats", delivery.replayed_from_delivery_id && link(delivery.replayed_from_delivery_id)],
    ["Repeated by", replays.length ? replays.map((id, at) => [at ? ", " : "", link(id)]) : null],
    ["Sent again", moment(delivery.replayed_at)],
  ]);
}

/** The two buttons, which stay where they are: what cannot be done now is said. `changed` shows what came of one. */
function actionsOf(id, changed) {
  const replay = h("button", { type: "button", onclick: replayIt }, "Replay");
  const discard = h("button", { type: "button", class: "danger", onclick: discardIt }, "Discard");
  // It may be of another account than the one that is acted in.
  const request = { path: { did: id }, headers: {} };

  async function replayIt() {
    let made;
    const send = async () => {
      ({ delivery: made } = await call("replay-webhook-delivery", request));
    };
    if (await attempt(send, "Sent again, as this new delivery.")) location.hash = to(HERE, { id: made.id });
  }

  async function discardIt() {
    const text = "No further attempt is made, and the deliveries behind it go on.";
    if (!(await confirm({ title: "Give this delivery up?", text, verb: "Give it up" }))) return;
    if (!(await attempt(() => call("discard-webhook-delivery", request), "Given up."))) return;
    await changed();
    replay.focus();
  }

  function draw({ status, account_id: owner }) {
    request.headers["X-Chaser-Account"] = owner;
    offer(replay, status === "pending" ? "It is pending: it will be sent anyway." : "");
    offer(discard, ["pending", "failed"].includes(status) ? "" : `It is ${status}.`);
  }

  return { nodes: [replay, discard], draw };
}

function offer(button, reason) {
  button.disabled = reason !== "";
  if (reason) button.title = reason;
  else button.removeAttribute("title");
}
