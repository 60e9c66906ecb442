// What a page asks for anew while things happen: never twice at once, and once more for what happened meanwhile.

import { tellError } from "../dialog.js";

/** A function that does the work now, or once more after what is under way; what goes wrong is told. */
export function gently(work, signal) {
  let busy = false;
  let again = false;
  return async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      do {
        again = false;
        await work();
      } while (again && !signal.aborted);
    } catch (error) {
      if (!signal.aborted) tellError(error);
    } finally {
      busy = false;
    }
  };
}
