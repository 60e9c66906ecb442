// A new webhook: what it is to hear of and where, and its signing secret, which is shown once.

import { call } from "../../api.js";
import { ask, open, tellError } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf } from "../../form.js";
import * as live from "../../live.js";
import { copyable } from "../../parts.js";

const NAME = "console";

/** Ask where what is to be told, and make that webhook; it answers the webhook, or undefined. */
export async function createWebhook() {
  const form = await formOf("create-webhook", {
    open: ["events", "description"],
    labels: { url: "Address", events: "Events", description: "What it is for" },
    hints: {
      url: "An http or https address that takes a POST. On this machine that may be localhost.",
      description: "",
      events: "Without one it gets every event. “session.*” stands for all that begin with “session.”.",
    },
  });
  const field = form.field("url");
  const fillIn = async () => {
    try {
      field.input.value = await addressOfSink(NAME);
      field.input.focus();
    } catch (error) {
      tellError(error);
    }
  };
  field.node.append(h("button", { type: "button", class: "small", onclick: fillIn }, "Use the built-in sink"));
  const made = await ask({
    title: "New webhook",
    text: "The account tells this address what happens, as signed requests.",
    form,
    submit: (body) => call("create-webhook", { body }),
  });
  if (made) await showSecret(made);
  return made?.webhook;
}

/** Make a webhook for every event that leads to the sink, unless the account has one; answers whether it did. */
export async function createWebhookToSink() {
  const [url, { webhooks }] = await Promise.all([addressOfSink(NAME), call("list-webhooks")]);
  if (webhooks.some((one) => one.url === url)) return false;
  const made = await call("create-webhook", { body: { url, description: "Leads to the sink, for the console." } });
  await showSecret(made);
  return true;
}

async function addressOfSink(name) {
  const { url } = await call("list-received", { query: { limit: 1 } });
  return url + name;
}

async function showSecret({ webhook, signing_secret: secret }) {
  live.tell("webhooks");
  await open({
    title: "The signing secret",
    content: (close) =>
      h(
        "div",
        { class: "body secret" },
        h("p", null, "Requests to ", h("code", { class: "target-url" }, webhook.url), " are signed with it."),
        h("p", null, h("strong", null, "It is shown now and never again."), " Copy it to where they are verified."),
        copyable(secret, "Copy the secret"),
        h(
          "div",
          { class: "actions" },
          h("button", { type: "button", class: "primary", onclick: () => close() }, "I have it"),
        ),
      ),
  });
}
