// Why a session has failed, which only the control plane tells.

import { stream } from "../../api.js";
import { h } from "../../dom.js";

/** The reason in a card, or nothing where none is known. */
export async function reasonOf(session, signal) {
  let failure = null;
  await stream("watch-session", {
    path: { id: session.id },
    query: { follow: false },
    signal,
    onEvent: ({ event, data }) => {
      if (event === "status") failure = JSON.parse(data).failure ?? null;
    },
  }).catch(() => {});
  return failure && h("section", { class: "card" }, h("h2", null, "What went wrong"), h("p", null, failure));
}
