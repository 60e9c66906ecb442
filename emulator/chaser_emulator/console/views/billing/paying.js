// A payment: what for, and the page on which it is paid, which is the emulator's own and asks for no money.

import { call } from "../../api.js";
import { ask, open } from "../../dialog.js";
import { h } from "../../dom.js";
import { formOf, formOfSchema } from "../../form.js";
import { valuesOf } from "./words.js";

/** Put money into the wallet. */
export async function topUp() {
  const form = await formOf("create-billing-checkout", {
    only: ["amount_usd"],
    labels: { amount_usd: "amount in dollars" },
  });
  const hint = "Without an amount it is the smallest one.";
  await pay({ title: "Top up the wallet", text: hint, form, body: { mode: "topup" } });
}

/** Subscribe to a plan. */
export async function subscribe() {
  const { body } = await call("get-operation", { path: { id: "create-billing-checkout" } });
  const plan = body["application/json"].properties.plan_code;
  const codes = { type: "string", enum: valuesOf(plan), description: plan.description };
  const form = formOfSchema(
    { properties: { plan_code: codes }, required: ["plan_code"] },
    { initial: { plan_code: codes.enum[0] }, labels: { plan_code: "plan" } },
  );
  const text = "The plan is in force once it is paid.";
  await pay({ title: "Subscribe to a plan", text, form, body: { mode: "subscription" } });
}

async function pay({ title, text, form, body }) {
  const made = await ask({
    title,
    text,
    verb: "Go on to the payment",
    form,
    submit: (given) => call("create-billing-checkout", { body: { ...body, ...given } }),
  });
  if (made) await offer(made.checkout_url);
}

/** Lead to the page of a checkout: in a tab of its own, so that the console stays and shows what comes of it. */
function offer(address) {
  return open({
    title: "The payment is prepared",
    content: (close) =>
      h(
        "div",
        { class: "body stack" },
        h(
          "p",
          null,
          "It is paid, or canceled, on a page of its own. No money is asked for: the emulator plays the provider.",
        ),
        h(
          "div",
          { class: "actions" },
          isAddress(address)
            ? h(
                "a",
                { class: "button primary", href: address, target: "_blank", rel: "noopener", onclick: () => close() },
                "Open the checkout page",
              )
            : h("code", null, address),
          h("button", { type: "button", onclick: () => close() }, "Later"),
        ),
        h(
          "p",
          { class: "hint" },
          "“Later” leaves it open: it is among the payments below. The page opens in a new tab.",
        ),
      ),
  });
}

/** Whether a text is the address of a page. */
function isAddress(text) {
  try {
    return ["http:", "https:"].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}
