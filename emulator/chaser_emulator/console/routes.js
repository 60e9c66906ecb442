// The pages: their addresses, what they are called, and where they are written. A page is loaded when it is opened.

/**
 * Each is {path, title, load, menu}: `path` has parameters in braces, `load` gives a module with `show({params, query,
 * signal})`, which answers a node; what is in the `menu` is listed there under its title.
 */
export const ROUTES = [
  { path: "/", title: "Overview", menu: true, load: () => import("./views/overview.js") },
  { path: "/sessions", title: "Sessions", menu: true, load: () => import("./views/sessions.js") },
  { path: "/sessions/{id}", title: "Session", load: () => import("./views/session.js") },
  { path: "/workspaces", title: "Workspaces", menu: true, load: () => import("./views/workspaces.js") },
  { path: "/workspaces/{id}", title: "Workspace", load: () => import("./views/workspace.js") },
  { path: "/requests", title: "Requests", menu: true, load: () => import("./views/requests.js") },
  { path: "/requests/{number}", title: "Request", load: () => import("./views/request.js") },
  { path: "/webhooks", title: "Webhooks", menu: true, load: () => import("./views/webhooks.js") },
  { path: "/webhooks/deliveries/{id}", title: "Delivery", load: () => import("./views/delivery.js") },
  { path: "/sink", title: "Sink", menu: true, load: () => import("./views/sink.js") },
  { path: "/jobs", title: "Jobs", menu: true, load: () => import("./views/jobs.js") },
  { path: "/jobs/{id}", title: "Job", load: () => import("./views/job.js") },
  { path: "/assistants", title: "Assistants", menu: true, load: () => import("./views/assistants.js") },
  { path: "/assistants/{id}", title: "Assistant", load: () => import("./views/assistant.js") },
  { path: "/keys", title: "Keys", menu: true, load: () => import("./views/keys.js") },
  { path: "/members", title: "Members", menu: true, load: () => import("./views/members.js") },
  { path: "/billing", title: "Billing", menu: true, load: () => import("./views/billing.js") },
  { path: "/audit", title: "Audit", menu: true, load: () => import("./views/audit.js") },
  { path: "/clock", title: "Clock", menu: true, load: () => import("./views/clock.js") },
  { path: "/faults", title: "Faults", menu: true, load: () => import("./views/faults.js") },
  { path: "/stubs", title: "Stubs", menu: true, load: () => import("./views/stubs.js") },
  { path: "/world", title: "World", menu: true, load: () => import("./views/world.js") },
  { path: "/contract", title: "Contract", menu: true, load: () => import("./views/contract.js") },
];

/** The page of an address such as "#/sessions/x?tab=files": {route, params, query}, or null. */
export function find(hash) {
  const [path, search = ""] = (hash.replace(/^#/, "") || "/").split("?");
  const words = path.split("/").filter(Boolean);
  for (const route of ROUTES) {
    const wanted = route.path.split("/").filter(Boolean);
    if (wanted.length !== words.length) continue;
    const params = {};
    const fits = wanted.every((word, at) => {
      if (!word.startsWith("{")) return word === words[at];
      params[word.slice(1, -1)] = decoded(words[at]);
      return params[word.slice(1, -1)] !== null;
    });
    if (fits) return { route, params, query: Object.fromEntries(new URLSearchParams(search)) };
  }
  return null;
}

/** Null for what no address can be made of, as a percent sign alone. */
function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return null;
  }
}

/** The address of a page: to("/sessions/{id}", {id}) */
export function to(path, params = {}, query = {}) {
  const filled = path.replace(/\{(\w+)\}/g, (_all, name) => encodeURIComponent(params[name]));
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== null));
  return `#${filled}${search.size ? `?${search}` : ""}`;
}
