// Files that a page gives to whoever looks at it.

import { h } from "./dom.js";

const KEPT_FOR = 60_000;

/** Let the browser save bytes under a name. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser reads them after the click.
  setTimeout(() => URL.revokeObjectURL(url), KEPT_FOR);
}
