// The files of a session's sandbox, from any folder on.

import { call, upload } from "../../api.js";
import { freshId, h } from "../../dom.js";
import { filesOf } from "../../files.js";
import { style } from "../../parts.js";
import { to } from "../../routes.js";
import { heard } from "./hearing.js";

const HOME = "/workspace";
const LISTED = 10_000;
const MOST = 16 * 2 ** 20;

export async function show({ session, query, signal }) {
  await style("inside");
  const root = query.folder || HOME;
  const path = { id: session.id };
  const below = (inner) => (inner ? `${root.replace(/\/$/, "")}/${inner}` : root);
  const files = filesOf({
    label: `Files in ${root}`,
    root,
    list: (inner) => call("list-session-files", { path, query: { path: below(inner), limit: LISTED }, signal }),
    read: (inner, stopping) =>
      call("download-session-file", { path, query: { path: below(inner) }, signal: stopping, as: "response" }),
    write: (inner, file, { onProgress }) =>
      upload("upload-session-file", { path, form: formOf(below(inner), file), signal, onProgress }),
    most: MOST,
    follow: (refresh) => heard(session, refresh, signal),
    signal,
  });
  return h("div", null, folderForm(session, root), files);
}

/** A form with a path, which arrives as it is: a browser's own form would change what breaks lines in it. */
function formOf(path, file) {
  const edge = `chaser-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
  const head = `--${edge}\r\nContent-Disposition: form-data; name=`;
  const between = `\r\n${head}"file"; filename="file"\r\n\r\n`;
  const parts = [`${head}"path"\r\n\r\n`, path, between, file, `\r\n--${edge}--\r\n`];
  return new Blob(parts, { type: `multipart/form-data; boundary=${edge}` });
}

/** Which folder the tree begins with. */
function folderForm(session, root) {
  const id = freshId("folder");
  const input = h("input", { id, value: root, spellcheck: "false", autocapitalize: "none", autocomplete: "off" });
  const go = (event) => {
    event.preventDefault();
    const folder = input.value.trim() || HOME;
    location.hash = to("/sessions/{id}", { id: session.id }, { tab: "files", folder });
  };
  return h(
    "form",
    { class: "inline", onsubmit: go },
    h("label", { for: id }, "Folder"),
    input,
    h("button", null, "Open"),
  );
}
