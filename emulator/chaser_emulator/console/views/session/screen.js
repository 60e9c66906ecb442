// A browser session: the picture of the page in front, its pages, and how programs drive it.

import { call } from "../../api.js";
import { attempt } from "../../dialog.js";
import { fill, freshId, h } from "../../dom.js";
import { lasting } from "../../lasting.js";
import { badge, copyable, style } from "../../parts.js";
import { picture } from "./picture.js";

const HAS_SCHEME = /^([a-z][a-z0-9+.-]*:\/\/|about:|data:|chrome:)/i;

export async function show({ session, signal }) {
  await style("inside");
  const seen = picture({ address: session.endpoints.video, signal });
  const pages = h("ul", { class: "pages" });
  const status = h("p", { class: "soft", role: "status" });
  const drive = h("section", { class: "card" });
  const path = { id: session.id };
  let running = false;

  function drawPages(list) {
    const front = list.find((one) => one.type === "page")?.id;
    fill(pages, list.map((one) => pageOf(one, one.id === front, path)));
    if (!list.length && running) fill(pages, h("li", { class: "soft" }, "No page is open."));
  }

  async function begin() {
    running = true;
    fill(status);
    seen.start();
    try {
      const version = await call("get-browser-version", { path, signal });
      fill(drive, driveOf(version, session));
    } catch (error) {
      if (!signal.aborted) fill(drive, h("h2", null, "Drive it"), h("p", { class: "problem" }, error.message));
    }
  }

  function end(word) {
    running = false;
    seen.stop("The browser has ended.");
    fill(pages);
    fill(drive);
    drive.hidden = true;
    fill(status, word === "failed" ? "The browser went away by itself." : "The browser has ended with its session.");
  }

  async function follow() {
    let ended = null;
    try {
      await lasting("watch-session", {
        path,
        signal,
        onlySeen: true,
        onState: (now) => now === "away" && fill(status, "The emulator does not answer; the pages go on when it does."),
        onEvent: ({ event, data }) => {
          const told = JSON.parse(data);
          if (event === "status") {
            if (told.status === "running") begin();
            else if (told.status === "starting") fill(status, "The browser starts …");
            ended = ["terminated", "failed"].includes(told.status) ? told.status : null;
          }
          if (event === "pages") drawPages(told.pages);
          return ended !== null;
        },
      });
      if (ended) end(ended);
    } catch (error) {
      fill(status, h("span", { class: "problem" }, error.message));
    }
  }

  follow();
  const list = h("section", { class: "card" }, h("h2", null, "Pages"), openForm(path), pages);
  return h("div", null, status, h("div", { class: "cards screen" }, seen.node, list, drive));
}

function pageOf(one, inFront, path) {
  const title = one.title || one.url || "Untitled";
  const act = (id) => attempt(() => call(id, { path: { ...path, target: one.id }, as: "text", trace: true }));
  const button = (word, id) =>
    h("button", { type: "button", class: "small", "aria-label": `${word} ${title}`, onclick: () => act(id) }, word);
  return h(
    "li",
    null,
    h("div", { class: "page-words" }, h("strong", null, title), h("span", { class: "soft" }, one.url)),
    inFront ? badge("in front", "good") : null,
    one.type !== "page" ? badge(one.type) : null,
    one.type === "page" && !inFront ? button("Show", "activate-browser-target") : null,
    button("Close", "close-browser-target"),
  );
}

function openForm(path) {
  const id = freshId("address");
  const input = h("input", {
    id, inputmode: "url", placeholder: "https://example.com/", autocomplete: "off", autocapitalize: "none",
    spellcheck: "false",
  });
  const send = async (event) => {
    event.preventDefault();
    const url = addressOf(input.value);
    if (await attempt(() => call("open-browser-target", { path, query: { url } }))) input.value = "";
    input.focus();
  };
  return h(
    "form",
    { class: "inline", onsubmit: send },
    h("label", { for: id }, "Address"),
    input,
    h("button", null, "Open a page"),
  );
}

/** What a person means by an address: a scheme may be left out. */
function addressOf(text) {
  const said = text.trim();
  if (!said) return null;
  const local = /^(localhost|127\.|\[::1\]|[^/:]+\.localhost)/i.test(said);
  const whole = HAS_SCHEME.test(said) ? said : `${local ? "http" : "https"}://${said}`;
  try {
    return new URL(whole).href;
  } catch {
    return whole;
  }
}

function driveOf(version, session) {
  const control = JSON.stringify(session.endpoints.control);
  const socket = JSON.stringify(version.webSocketDebuggerUrl);
  return [
    h("h2", null, "Drive it"),
    h("p", { class: "soft" }, version.Browser),
    h("p", null, "The DevTools address of the browser. Who knows it drives the browser, without a key:"),
    copyable(version.webSocketDebuggerUrl),
    h("h3", null, "Playwright (Python)"),
    copyable(`browser = playwright.chromium.connect_over_cdp(${control})`),
    h("h3", null, "Playwright (JavaScript)"),
    copyable(`const browser = await chromium.connectOverCDP(${control})`),
    h("h3", null, "Puppeteer"),
    copyable(`const browser = await puppeteer.connect({browserWSEndpoint: ${socket}})`),
  ];
}
