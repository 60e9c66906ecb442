// What commands answer where none really runs: stubs, and the commands that have none; on real engines a recording.

import { call } from "../api.js";
import { h } from "../dom.js";
import { style, top } from "../parts.js";

export async function show({ signal }) {
  const [world] = await Promise.all([call("describe-world", { signal }), style("steering")]);
  const { name } = world.engine;
  const part = await (name === "scripted" ? import("./stubs/answers.js") : import("./stubs/recording.js"));
  const { node, actions } = await part.show({ engine: name, signal });
  return h("div", null, top("Stubs", actions), node);
}
