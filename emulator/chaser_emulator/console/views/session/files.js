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
    write: (inner, file, { onProgress }) => {
      const form = new FormData();
      form.append("path", below(inner));
      form.append("file", file);
      return upload("upload-session-file", { path, form, signal, onProgress });
    },
    most: MOST,
    follow: (refresh) => heard(session, refresh, signal),
    signal,
  });
  return h("div", null, folderForm(session, root), files);
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
