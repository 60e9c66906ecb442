// In which world, and for which account, the console asks; and how one goes to another.

import { account, call } from "./api.js";
import { attempt } from "./dialog.js";
import { h, refill } from "./dom.js";
import * as live from "./live.js";

/**
 * Draw the choices of world and account into a node, and again when there are others. `enter(key)` goes to another world,
 * `act(id)` to another account (null for the usual one).
 */
export function drawWhere(node, signal, { enter, act }) {
  const draw = async () => {
    const [here, worlds, accounts] = await Promise.all([
      call("describe-world", { signal }),
      // From another machine only the emulator's own key shows more than its own world.
      call("list-worlds", { signal }).then((found) => found.worlds, () => []),
      call("list-accounts", { signal }).then((found) => found.accounts, () => []),
    ]).catch(() => []);
    if (!here || signal.aborted) return;
    if (!accounts.length && account()) {
      // One that is not there any more, as after a reset.
      act(null);
      draw();
      return;
    }
    const known = worlds.some((one) => one.id === here.id) ? worlds : [here];
    const toWorld = (id) => attempt(async () => enter((await call("get-world", { path: { id } })).api_key));
    const mine = accounts.find((one) => one.id === account()) ?? accounts.find((one) => one.personal) ?? accounts[0];
    const toAccount = (id) => act(accounts.find((one) => one.id === id).personal ? null : id);
    refill(
      node,
      pick("World", known.map((one) => [one.id, one.id]), here.id, toWorld),
      mine && pick("Account", accounts.map((one) => [one.id, named(one)]), mine.id, toAccount),
    );
  };
  draw();
  live.changed(["accounts", "worlds"], draw, signal);
}

const named = (one) => (one.personal ? `${one.name} (personal)` : `${one.name} (${one.role})`);

function pick(label, choices, chosen, to) {
  const id = `pick-${label.toLowerCase()}`;
  const options = choices.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
  const select = h("select", { id, onchange: () => to(select.value) }, options);
  return h("div", { class: "field" }, h("label", { for: id }, label), select);
}
