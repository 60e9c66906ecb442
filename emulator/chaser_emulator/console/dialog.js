// Dialogs, and notices that a screen reader hears.

import { Refusal, wasGivenUp } from "./api.js";
import { h, freshId } from "./dom.js";

const SHOWN_FOR = 6000;

/**
 * Say something in the corner. `kind` is "good", "bad" or "plain"; what is bad stays until it is closed, and what is said
 * again takes the place of what stands there, so that one trouble does not fill the page.
 */
export function notice(text, kind = "plain") {
  const box = h(
    "div",
    { class: `notice ${kind}` },
    h("p", null, text),
    h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => box.remove() }, "×"),
  );
  const notices = document.getElementById("notices");
  for (const one of [...notices.children]) if (one.isEqualNode(box)) one.remove();
  notices.append(box);
  if (kind !== "bad") setTimeout(() => box.remove(), SHOWN_FOR);
}

/** Say what went wrong; nothing where it was given up on purpose. */
export function tellError(error) {
  if (wasGivenUp(error)) return;
  if (!(error instanceof Refusal)) console.error(error);
  notice(error.code ? `${error.message} (${error.code})` : error.message, "bad");
}

/** Do something that may be refused, and say so: answers whether it went well. */
export async function attempt(work, done) {
  try {
    const result = await work();
    if (done) notice(typeof done === "function" ? done(result) : done, "good");
    return true;
  } catch (error) {
    tellError(error);
    return false;
  }
}

/**
 * Show a dialog; it answers what `close(value)` was called with, undefined when it was left. `content(close)` makes what is
 * in it.
 */
export function open({ title, content, wide = false }) {
  return new Promise((resolve) => {
    const id = freshId("title");
    let value;
    const close = (given) => {
      value = given;
      dialog.close();
    };
    const opener = document.activeElement;
    const dialog = h(
      "dialog",
      { "aria-labelledby": id, class: wide ? "wide" : null, onkeydown: goRound },
      h(
        "header",
        null,
        h("h2", { id }, title),
        h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => close() }, "×"),
      ),
      content(close),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      // What it was opened with may have been drawn anew, or be gone.
      const back = opener?.isConnected ? opener : opener?.id && document.getElementById(opener.id);
      (back || document.getElementById("main")).focus({ preventScroll: true });
      resolve(value);
    });
    document.body.append(dialog);
    dialog.showModal();
    const body = dialog.lastElementChild;
    (dialog.querySelector("[autofocus]") ?? body.querySelector(REACHABLE) ?? dialog.querySelector("button")).focus();
  });
}

const REACHABLE = "a[href], button:not(:disabled), input, select, textarea, summary, [tabindex='0']";

/** Let the focus go from the last thing in a dialog to the first, and back. */
function goRound(event) {
  if (event.key !== "Tab") return;
  const found = [...event.currentTarget.querySelectorAll(REACHABLE)].filter((one) => one.checkVisibility());
  const [from, to] = event.shiftKey ? [found[0], found.at(-1)] : [found.at(-1), found[0]];
  if (document.activeElement !== from) return;
  event.preventDefault();
  to.focus();
}

/** Close what is open, as when its page is left. */
export function closeAll() {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}

/** Ask before something that cannot be undone: whether to go on. */
export async function confirm({ title, text, verb = "Delete" }) {
  const answer = await open({
    title,
    content: (close) =>
      h(
        "div",
        { class: "body" },
        h("p", null, text),
        h(
          "div",
          { class: "actions" },
          h("button", { type: "button", class: "danger", onclick: () => close(true) }, verb),
          h("button", { type: "button", autofocus: true, onclick: () => close(false) }, "Cancel"),
        ),
      ),
  });
  return answer === true;
}

/**
 * Show a form of form.js in a dialog. `submit(body)` is awaited; what it refuses is shown in the form, else the dialog
 * closes and answers what came of it (undefined when it was left). What is left while it is being sent comes about all
 * the same, and is answered where its page is still there; on another page a notice tells of it.
 */
export async function ask({ title, text, verb = "Create", form, submit }) {
  const page = location.hash;
  let sending = null;
  const answer = await open({
    title,
    content: (close) => {
      const send = async (body) => {
        form.busy(true);
        try {
          const made = (await submit(body)) ?? null;
          close(made);
          return made;
        } catch (error) {
          if (form.node.isConnected) form.refuse(error);
          else tellError(error);
          return undefined;
        } finally {
          form.busy(false);
          sending = null;
        }
      };
      form.node.addEventListener("submit", (event) => {
        event.preventDefault();
        // By keys a form can be sent while its buttons are shut.
        const body = sending ? undefined : form.read();
        if (body !== undefined) sending = send(body);
      });
      form.node.append(
        h(
          "div",
          { class: "actions" },
          h("button", { class: "primary" }, verb),
          h("button", { type: "button", onclick: () => close() }, "Cancel"),
        ),
      );
      return h("div", { class: "body" }, text ? h("p", { class: "soft" }, text) : null, form.node);
    },
  });
  if (answer !== undefined || !sending) return answer;
  const made = await sending;
  if (made === undefined || location.hash === page) return made;
  notice(`${title}: done, after its page was left.`, "good");
  return undefined;
}
