// Names made of words with dots between them, which may go on in the next line after a dot and nowhere else.

import { h } from "../dom.js";

/** "sandbox.exec" as nodes: a line may end after each dot or underscore. */
export function dotted(name) {
  return name.split(/(?<=[._@])/).flatMap((word, at) => (at ? [h("wbr"), word] : [word]));
}
