// What is in one file: text with the numbers of its lines, a picture, or the first bytes of anything else.

import { wasGivenUp } from "./api.js";
import { attempt } from "./dialog.js";
import { fill, h } from "./dom.js";
import { bytes } from "./format.js";
import { save } from "./saving.js";
import { plainName } from "./tree.js";

const MOST_TEXT = 512 * 1024;
const MOST_LINES = 10_000;
const MOST_HEX = 4096;
const PICTURES = {
  png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp", avif: "image/avif",
  bmp: "image/bmp", ico: "image/x-icon", svg: "image/svg+xml",
};

/**
 * A place where files are shown, one at a time. `read(path, signal)` answers a Blob or a Response. It is {node,
 * show(file), again(), close()} with a file as {path, name, size}; `again` reads the one that is shown once more.
 */
export function viewer({ read, signal }) {
  const head = h("div", { class: "viewer-head" });
  const body = h("div", { class: "viewer-body" });
  const node = h("section", { class: "viewer", "aria-label": "File" }, head, body);
  let file = null;
  let giveUp = null;
  let picture = null;

  nothing();
  signal?.addEventListener("abort", forget, { once: true });

  function nothing() {
    fill(head);
    fill(body, h("p", { class: "empty" }, "Choose a file to see what is in it."));
  }

  function forget() {
    giveUp?.abort();
    if (picture) URL.revokeObjectURL(picture);
    picture = null;
  }

  async function show(next) {
    file = next;
    fill(head, titleOf(next));
    fill(body, h("p", { class: "empty", role: "status" }, "Loading …"));
    await draw();
  }

  async function again() {
    if (!file) return;
    const before = body.querySelector(".code-lines");
    const place = before ? [before.scrollTop, before.scrollLeft] : null;
    await draw();
    const after = body.querySelector(".code-lines");
    if (place && after) [after.scrollTop, after.scrollLeft] = place;
  }

  async function draw() {
    forget();
    giveUp = new AbortController();
    const mine = giveUp;
    try {
      const found = await contentOf(file, kindOf(file.name), mine.signal);
      if (!mine.signal.aborted) fill(body, found);
    } catch (error) {
      if (wasGivenUp(error) || mine.signal.aborted) return;
      fill(body, h("p", { class: "problem pad", role: "alert" }, toldOf(file, error)));
    }
  }

  async function contentOf(one, kind, stopping) {
    if (kind && !one.asText) {
      const blob = await blobOf(await read(one.path, stopping));
      const shown = await pictureOf(new Blob([blob], { type: kind }), one.name);
      if (shown) return shown;
      return anyOf(new Uint8Array(await blob.slice(0, MOST_TEXT).arrayBuffer()), blob.size, one);
    }
    const { data, size } = await beginningOf(await read(one.path, stopping), one.size);
    return anyOf(data, size, one);
  }

  async function pictureOf(blob, name) {
    picture = URL.createObjectURL(blob);
    const image = h("img", { src: picture, alt: plainName(name) });
    try {
      await image.decode();
    } catch {
      return null;
    }
    const measures = `${image.naturalWidth} × ${image.naturalHeight}`;
    return h("figure", { class: "picture" }, image, h("figcaption", { class: "soft" }, measures));
  }

  function titleOf(one) {
    const download = async () => save(await blobOf(await read(one.path, signal)), one.name);
    const other = () => show({ ...one, asText: !one.asText });
    return [
      h("h2", null, h("bdi", null, plainName(one.name))),
      one.size === null ? null : h("span", { class: "soft" }, bytes(one.size)),
      h(
        "div",
        { class: "actions" },
        kindOf(one.name) === PICTURES.svg
          ? h("button", { type: "button", class: "small", onclick: other }, one.asText ? "As a picture" : "As text")
          : null,
        h("button", { type: "button", class: "small", onclick: () => attempt(download) }, "Download"),
      ),
    ];
  }

  function close() {
    file = null;
    forget();
    nothing();
  }

  return { node, show, again, close, shown: () => file };
}

const kindOf = (name) => PICTURES[name.split(".").pop().toLowerCase()];

function anyOf(data, size, file) {
  if (!size) return h("p", { class: "empty" }, "It is empty.");
  const text = textOf(data, data.length < size);
  return text === null ? hexOf(data, size) : linesOf(text, data.length < size ? size : null, file);
}

/** The text that bytes are, or null. A character that is cut off at the end counts as whole where there is more. */
function textOf(data, isCut) {
  if (data.subarray(0, 8192).includes(0)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(data, { stream: isCut });
  } catch {
    return null;
  }
}

function linesOf(text, whole, file) {
  let lines = text.split("\n");
  const cut = lines.length > MOST_LINES;
  if (lines.at(-1) === "" && !cut) lines.pop();
  if (cut) lines = lines.slice(0, MOST_LINES);
  const numbers = lines.map((_line, at) => at + 1).join("\n");
  const notes = [];
  if (cut) notes.push(`The first ${MOST_LINES.toLocaleString("en")} lines are shown; the download has them all.`);
  else if (whole) notes.push(`The first ${bytes(MOST_TEXT)} of ${bytes(whole)} are shown; the download has all of it.`);
  return [
    notes.length ? h("p", { class: "soft pad", role: "note" }, notes) : null,
    h(
      "div",
      { class: "code-lines", tabindex: 0, role: "region", "aria-label": `Content of ${plainName(file.name)}` },
      h("pre", { class: "numbers", "aria-hidden": "true" }, numbers),
      h("pre", { class: "text" }, lines.join("\n")),
    ),
  ];
}

function hexOf(data, size) {
  const head = data.subarray(0, MOST_HEX);
  const rows = [];
  for (let at = 0; at < head.length; at += 16) {
    const part = [...head.subarray(at, at + 16)];
    const hex = part.map((one) => one.toString(16).padStart(2, "0")).join(" ").padEnd(48);
    const text = part.map((one) => (one >= 32 && one < 127 ? String.fromCharCode(one) : ".")).join("");
    rows.push(`${at.toString(16).padStart(8, "0")}  ${hex} ${text}`);
  }
  const told = head.length < size ? `The first ${bytes(head.length)} of ${bytes(size)}.` : "";
  return [
    h("p", { class: "soft pad", role: "note" }, `It is no text in UTF-8. ${told}`),
    h(
      "div",
      { class: "code-lines", tabindex: 0, role: "region", "aria-label": "Bytes" },
      h("pre", { class: "text" }, rows.join("\n")),
    ),
  ];
}

const blobOf = (found) => (found instanceof Response ? found.blob() : found);

/** The first bytes of a file, {data, size}; the rest is not asked for. */
async function beginningOf(found, known) {
  if (found instanceof Blob) {
    return { data: new Uint8Array(await found.slice(0, MOST_TEXT).arrayBuffer()), size: found.size };
  }
  const told = found.headers.get("content-length");
  const reader = found.body.getReader();
  const data = new Uint8Array(MOST_TEXT);
  let length = 0;
  let ended = false;
  while (length < MOST_TEXT && !ended) {
    const { done, value } = await reader.read();
    ended = done;
    if (!value) continue;
    const part = value.subarray(0, MOST_TEXT - length);
    data.set(part, length);
    length += part.length;
  }
  if (!ended) await reader.cancel();
  const whole = told === null ? (ended ? length : (known ?? length)) : Number(told);
  return { data: data.subarray(0, length), size: Math.max(whole, length) };
}

function toldOf(file, error) {
  if (file.name.includes("\ufffd")) return "Its name is no UTF-8, and the API cannot name it. A terminal can.";
  if (error.code === "payload_too_large") return `${error.message}. A command such as head shows a part of it.`;
  return error.message;
}
