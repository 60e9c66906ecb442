// The live picture of a browser: asked for only while somebody looks.

import { fill, h } from "../../dom.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 5_000;

/**
 * The pictures that come from an address, {node, start(), stop(text)}. They are not asked for while the page is hidden,
 * after `stop`, and when `signal` is aborted.
 */
export function picture({ address, signal }) {
  // By its path: the page may know the emulator by another name than the session does.
  const source = new URL(new URL(address).pathname, location.origin).href;
  const place = h("div", { class: "picture-place" });
  const state = h("p", { class: "soft", role: "status" }, "Waiting for the browser …");
  const pause = h("button", { type: "button", class: "small", onclick: toggle }, "Pause");
  const node = h(
    "section",
    { class: "card picture-card", "aria-label": "Live view" },
    place,
    h(
      "div",
      { class: "picture-bar" },
      state,
      pause,
      h("a", { class: "button small", href: source, target: "_blank", rel: "noopener" }, "In a window of its own"),
    ),
  );
  let wanted = false;
  let paused = false;
  let image = null;
  let wait = FIRST_WAIT;
  let timer = null;

  document.addEventListener("visibilitychange", apply, { signal });
  signal.addEventListener("abort", () => {
    wanted = false;
    apply();
  }, { once: true });

  function apply() {
    const on = wanted && !paused && !document.hidden;
    if (on && !image) ask();
    else if (!on && image) drop();
  }

  function ask() {
    fill(state, "Loading the picture …");
    const fresh = h("img", { alt: "What the browser shows", src: source });
    image = fresh;
    fresh.addEventListener("error", () => image === fresh && again());
    // The first picture has a size long before the stream is over.
    watch(fresh);
    fill(place, fresh);
  }

  function watch(fresh) {
    if (image !== fresh) return;
    if (fresh.naturalWidth) {
      wait = FIRST_WAIT;
      fill(state, "Live");
      return;
    }
    requestAnimationFrame(() => watch(fresh));
  }

  function again() {
    drop();
    fill(state, "The picture has gone; asking again …");
    timer = setTimeout(apply, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }

  function drop() {
    clearTimeout(timer);
    // A picture that only leaves the page is loaded on.
    image?.removeAttribute("src");
    image = null;
  }

  function toggle() {
    paused = !paused;
    fill(pause, paused ? "Go on" : "Pause");
    fill(state, paused ? "Paused" : "");
    apply();
  }

  function start() {
    wanted = true;
    apply();
  }

  function stop(text) {
    wanted = false;
    apply();
    fill(place);
    pause.hidden = true;
    fill(state, text);
  }

  return { node, start, stop };
}
