// What runs the sandboxes here, for parts that cannot do the same on each engine.

import { call } from "../../api.js";

/** Whether commands are answered by stubs and none really runs; false where that cannot be found out. */
export async function isScripted(signal) {
  try {
    return (await call("describe-world", { signal })).engine.name === "scripted";
  } catch {
    return false;
  }
}
