// What is done anew while things happen: never twice at once, and once more for what happened meanwhile.

import { tellError } from "./dialog.js";

/**
 * A function that lets the work be done: at once, or `wait` milliseconds later for all who call it until then, and once
 * more after what is under way. Its promise is kept when no more is to be done. What goes wrong is told.
 */
export function gently(work, signal, wait = 0) {
  let wanted = false;
  let under = null;

  async function go() {
    while (wanted && !signal?.aborted) {
      if (wait) await new Promise((done) => setTimeout(done, wait));
      wanted = false;
      try {
        if (!signal?.aborted) await work();
      } catch (error) {
        if (!signal?.aborted) tellError(error);
      }
    }
    under = null;
  }

  return () => {
    wanted = true;
    under ??= Promise.resolve().then(go);
    return under;
  };
}
