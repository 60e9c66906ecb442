// The journal as it is written: every request to the API, newest first, filtered by what the address of the page says.

import { allOperations, call } from "../api.js";
import { attempt, confirm } from "../dialog.js";
import { fill, h } from "../dom.js";
import { counted } from "../format.js";
import { gently } from "../gently.js";
import { style, top } from "../parts.js";
import { to } from "../routes.js";
import { table } from "../table.js";
import { filters } from "./filters.js";
import { keeping } from "./requests/keeping.js";
import { asked, inBodies, matching } from "./requests/matching.js";
import { answer, instant, line, took } from "./requests/words.js";

const PAGE = "/requests";
const SAID = 1000;
const LOOK = 250;
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const CLASSES = [
  ["2xx", "2xx, done"], ["3xx", "3xx, elsewhere"], ["4xx", "4xx, refused"], ["5xx", "5xx, failed"],
  ["1xx", "101, WebSocket"], ["none", "no answer"],
];

export async function show({ query, signal }) {
  await Promise.all([style("account"), style("requests")]);
  let wanted = asked(query);
  let paused = null;
  let found = new Set();
  let unlooked = new Set();
  let shown = [];

  const list = table({
    label: "Requests",
    columns: [
      { title: "Request", width: "minmax(14rem, 2fr)", narrow: "minmax(0, 1.6fr)", render: line },
      { title: "Answer", width: "minmax(11rem, 1fr)", narrow: "minmax(0, 1fr)", render: answer },
      { title: "Operation", width: "minmax(10rem, 1fr)", minor: true, render: (one) => one.operation ?? "" },
      { title: "Took", width: "5.5rem", numeric: true, minor: true, render: took },
      { title: "At", width: "7.5rem", minor: true, render: (one) => instant(one.at) },
    ],
    identify: (one) => one.number,
    link: (one) => to("/requests/{number}", { number: one.number }, wanted),
    empty: "No request yet that fits. Whatever a client asks of the API is shown here as it happens.",
    counted: false,
  });
  const count = h("p", { class: "counted soft", role: "status" });
  const turn = () => (paused ? resume() : hold());
  const pause = h("button", { type: "button", onclick: turn }, "Pause");
  const journal = keeping({ signal, changed: (numbers) => (paused ? paused.come(numbers) : drawWith(numbers)) });

  function draw() {
    const some = Object.keys(wanted).length > 0;
    shown = some ? journal.rows().filter(matching(wanted, found)) : journal.rows();
    list.settle(shown);
    sayCount();
  }

  function drawWith(numbers) {
    if (numbers === null) lookAll();
    else lookSoon(numbers);
    draw();
  }

  // What is looked for in bodies

  const needsLook = () => Object.keys(inBodies(wanted)).length > 0;

  const lookAll = gently(async () => {
    found = new Set();
    unlooked = new Set();
    if (!needsLook()) return;
    const query_ = { ...inBodies(wanted), brief: true, limit: 1000 };
    const { requests } = await call("list-requests", { query: query_, signal });
    found = new Set(requests.map((one) => one.number));
    draw();
  }, signal);

  const lookNew = gently(async () => {
    if (!unlooked.size || !needsLook()) return;
    const after = Math.min(...unlooked) - 1;
    unlooked = new Set();
    const query_ = { ...inBodies(wanted), brief: true, limit: 1000, after };
    const { requests } = await call("list-requests", { query: query_, signal });
    for (const one of requests) found.add(one.number);
    if (requests.length && !paused) draw();
  }, signal, LOOK);

  function lookSoon(numbers) {
    if (!needsLook()) return;
    for (const number of numbers) unlooked.add(number);
    lookNew();
  }

  // Pausing

  function hold() {
    const come = new Set();
    let all = false;
    paused = {
      come(numbers) {
        if (numbers === null) all = true;
        else for (const number of numbers) come.add(number);
        lookSoon(numbers ?? []);
        sayCount();
      },
      many: () => come.size,
      everything: () => all,
    };
    fill(pause, "Go on");
    sayCount();
  }

  function resume() {
    const all = paused.everything();
    paused = null;
    fill(pause, "Pause");
    if (all) lookAll();
    draw();
  }

  // What is said above the list, now and then: a screen reader reads it out

  let saying = null;
  function sayCount() {
    saying ??= setTimeout(() => {
      saying = null;
      if (signal.aborted) return;
      const said = inAll();
      if (count.textContent !== said) fill(count, said);
    }, count.textContent ? SAID : 0);
  }

  function inAll() {
    const all = journal.rows().length;
    const parts = [shown.length === all ? counted(all, "request") : `${shown.length} of ${counted(all, "request")}`];
    const older = journal.rows().filter((one) => one.number < journal.oldestKept()).length;
    if (older) parts.push(`the oldest ${older} in brief only, as the journal keeps the last 1,000`);
    if (journal.missed()) parts.push(`${journal.missed()} passed too quickly to be noted here`);
    if (paused) parts.push(paused.many() ? `paused, ${paused.many()} have come since` : "paused");
    return `${parts.join("; ")}.`;
  }

  async function clear() {
    const text = "The journal forgets all requests of this world, for everybody. Numbers are not given again.";
    if (!(await confirm({ title: "Clear the journal?", text, verb: "Clear it" }))) return;
    await attempt(() => call("clear-requests"), ({ cleared }) => `${counted(cleared, "request")} forgotten.`);
    if (paused) resume();
    await journal.load();
  }

  const bar = filters({
    label: "Which requests are shown",
    page: PAGE,
    fields: await fields(signal),
    values: wanted,
    changed(values) {
      wanted = asked(values);
      lookAll();
      draw();
    },
  });
  await journal.load();
  const remove = h("button", { type: "button", class: "danger", onclick: clear }, "Clear the journal");
  return h("div", { class: "requests" }, top("Requests", pause, remove), bar, count, list.node);
}

async function fields(signal) {
  const operations = allOperations().filter((one) => one.plane === "api").map((one) => one.id);
  const [accounts, faults, sessions] = await Promise.all([
    known("list-accounts", (answer_) => answer_.accounts.map((one) => one.id), signal),
    known("list-faults", (answer_) => answer_.faults.map((one) => one.id), signal),
    known("list-sessions", (answer_) => answer_.sessions.map((one) => one.id), signal),
  ]);
  return [
    { name: "search", label: "Search" },
    { name: "method", label: "Method", options: METHODS },
    { name: "operation", label: "Operation", known: operations.sort() },
    { name: "status_class", label: "Answer", options: CLASSES },
    { name: "refused", label: "Refused only", check: true },
    { name: "session_id", label: "Session or other id", known: sessions, more: true },
    { name: "account_id", label: "Account", known: accounts, more: true },
    { name: "fault", label: "Fault (* is any)", known: ["*", ...faults], more: true },
    { name: "code", label: "Code of the refusal", more: true },
  ];
}

/** Ids to choose from; who may not list them types one. */
async function known(operation, ids, signal) {
  try {
    return ids(await call(operation, { signal }));
  } catch (error) {
    if (signal.aborted) throw error;
    return [];
  }
}
