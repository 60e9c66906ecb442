// How the clock is set and moved: stopped, let go, and moved on by so long, to a moment, or until nothing is due.

import { call } from "../../api.js";
import { open } from "../../dialog.js";
import { fill, freshId, h } from "../../dom.js";
import { momentOf, secondsOf } from "../../durations.js";

const PRESETS = [
  ["1 minute", 60],
  ["5 minutes", 300],
  ["1 hour", 3600],
  ["1 day", 86400],
  ["30 days", 2_592_000],
];

/** Buttons that stop the clock and let it go; `work(action)` does what they ask for. */
export function setting(work) {
  const freeze = button("Freeze it", () => work(() => call("set-clock", { body: { mode: "frozen" } })), "primary");
  const release = button("Let it go", () => work(() => call("set-clock", { body: { mode: "real" } })));
  const set = button("Set it to a moment…", () => askForMoment(work));
  const node = h("div", { class: "actions" }, freeze, release, set);
  const show = ({ mode }) => {
    freeze.disabled = mode === "frozen";
    freeze.classList.toggle("primary", mode === "real");
    release.classList.toggle("primary", mode === "frozen");
    release.title = "It shows the time of the machine again";
  };
  return { node, show };
}

/** Buttons and a field that move the clock on. */
export function moving(work) {
  const advance = (body) => work(() => call("advance-clock", { body }));
  const presets = PRESETS.map(([words, seconds]) => {
    const one = button(words, () => advance({ seconds }), "small");
    one.setAttribute("aria-label", `Move on by ${words}`);
    return one;
  });
  const far = asked({
    label: "How far, or to when",
    hint: "As 90, 5m, 1h30m or 2 days; or a moment of UTC, as 2026-04-01 09:30.",
    verb: "Move on",
    wrong: "is neither a duration nor a moment",
    read(text) {
      const seconds = secondsOf(text);
      if (seconds !== null) return { seconds };
      const to = momentOf(text);
      return to && { to };
    },
    submit: advance,
  });
  const idle = asked({
    label: "Until nothing is due within",
    hint: "It goes from one thing that falls due to the next: retries of webhooks, jobs that wait, ends of sessions.",
    verb: "Run until idle",
    value: "1h",
    wrong: "is no duration",
    read(text) {
      const within = secondsOf(text);
      return within === null ? null : { within };
    },
    submit: (body) => work(() => call("run-clock-until-idle", { body })),
  });
  const group = h("div", { class: "presets", role: "group", "aria-label": "Move on by" }, presets);
  return h("div", { class: "moving" }, group, far, idle);
}

function button(words, onclick, kind = null) {
  return h("button", { type: "button", class: kind, onclick }, words);
}

/** A field with a button: what `read` makes of its text is submitted; of null it is said that the text is `wrong`. */
function asked({ label, hint, verb, value = "", wrong, read, submit }) {
  const id = freshId("asked");
  const problem = h("p", { class: "problem", id: `${id}-problem`, role: "alert" });
  const described = `${id}-hint ${id}-problem`;
  const input = h("input", { id, value, autocomplete: "off", spellcheck: "false", "aria-describedby": described });
  const onsubmit = async (event) => {
    event.preventDefault();
    fill(problem);
    input.removeAttribute("aria-invalid");
    const body = read(input.value);
    if (body) {
      await submit(body);
      return;
    }
    fill(problem, `“${input.value}” ${wrong}.`);
    input.setAttribute("aria-invalid", "true");
    input.focus();
  };
  return h(
    "form",
    { class: "asked", novalidate: true, onsubmit },
    h("label", { for: id }, label),
    h("div", { class: "beside" }, input, h("button", null, verb)),
    h("p", { class: "hint", id: `${id}-hint` }, hint),
    problem,
  );
}

/** Ask to which moment the clock is set, and whether it stands still there; it may lie in the past. */
async function askForMoment(work) {
  const wish = await open({
    title: "Set the clock",
    content: (close) => {
      const kept = freshId("stand");
      const form = asked({
        label: "To this moment",
        hint: "A moment of UTC, as 2026-04-01 09:30, also one that is over. What lies between does not fall due.",
        verb: "Set it",
        wrong: "is no moment",
        read(text) {
          const at = momentOf(text);
          return at && { mode: still.checked ? "frozen" : "real", at };
        },
        submit: async (body) => close(body),
      });
      const still = h("input", { id: kept, type: "checkbox", checked: true });
      const field = h("div", { class: "field check" }, still, h("label", { for: kept }, "It stands still there"));
      form.insertBefore(field, form.querySelector(".beside").nextSibling);
      return h("div", { class: "body" }, form);
    },
  });
  if (wish) await work(() => call("set-clock", { body: wish }));
}
