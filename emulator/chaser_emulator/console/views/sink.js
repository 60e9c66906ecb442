// The built-in sink: where webhooks can lead that have nowhere else to go, what has come there, and how it answers.

import { call } from "../api.js";
import { ask, attempt, confirm, notice, open } from "../dialog.js";
import { h } from "../dom.js";
import { formOf } from "../form.js";
import { copyable, style, top } from "../parts.js";
import { behaviours } from "./sink/behaviours.js";
import { content } from "./sink/content.js";
import { received } from "./sink/received.js";
import { createWebhookToSink } from "./webhooks/making.js";

const ABOUT =
  "A receiver that is there already. Webhooks that lead here, under any name, are handed over with the headers and " +
  "bytes that would be sent, and their signature is checked.";

export async function show({ signal }) {
  await style("webhooks");
  const { url } = await call("list-received", { query: { limit: 1 }, signal });
  const [come, behave] = await Promise.all([received({ signal }), behaviours({ signal })]);
  return h(
    "div",
    { class: "sink" },
    top(
      "Sink",
      button("Wait for an event", waitForOne),
      button("Send every event here", listen),
      button("Webhook to the sink", hook, "primary"),
    ),
    h(
      "section",
      { class: "card", "aria-label": "Address" },
      h("p", null, ABOUT),
      copyable(`${url}ci`, "Copy the address"),
    ),
    behave,
    come,
  );
}

const button = (text, onclick, kind) => h("button", { type: "button", class: kind, onclick }, text);

async function hook() {
  await attempt(async () => {
    if (!(await createWebhookToSink())) notice("The account has a webhook that leads here already.");
  });
}

async function listen() {
  const text =
    "Every account gets a webhook for all events that leads here, and what has happened since the world began is sent as well.";
  if (!(await confirm({ title: "Send every event here?", text, verb: "Send them" }))) return;
  await attempt(
    () => call("listen-at-sink", { body: {} }),
    ({ made }) => {
      if (!made) return "Every account had one already.";
      return made === 1 ? "One webhook was made." : `${made} webhooks were made.`;
    },
  );
}

/** Wait for an event as a test does: on a clock that stands still it is moved on meanwhile. */
async function waitForOne() {
  const form = await formOf("expect-webhook", {
    open: ["name", "within", "where"],
    labels: { event: "Event", name: "Name", within: "Seconds of the world’s clock", where: "What it holds" },
    hints: { event: "Its type; “session.*” stands for all that begin with “session.”." },
  });
  const found = await ask({
    title: "Wait for an event",
    text: "The first event that fits and was not waited for before. A clock that stands still is moved on until it comes.",
    verb: "Wait",
    form,
    submit: (body) => call("expect-webhook", { body }),
  });
  if (!found) return;
  await open({ title: `It has come: ${found.event_type ?? "a request"}`, wide: true, content: () => content(found) });
}
