// The pages: their addresses, what they are called, and where they are written. A page is loaded when it is opened.

/**
 * Each is {path, title, load, menu}: `path` has parameters in braces, `load` gives a module with `show({params, query,
 * signal})`, which answers a node; what is in the `menu` is listed there under its title.
 */
export const ROUTES = [
  { path: "/", title: "Overview", menu: true, load: () => import("./views/overview.js") },
  { path: "/sessions", title: "Sessions", menu: true, load: () => import("./views/sessions.js") },
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
      params[word.slice(1, -1)] = decodeURIComponent(words[at]);
      return true;
    });
    if (fits) return { route, params, query: Object.fromEntries(new URLSearchParams(search)) };
  }
  return null;
}

/** The address of a page: to("/sessions/{id}", {id}) */
export function to(path, params = {}, query = {}) {
  const filled = path.replace(/\{(\w+)\}/g, (_all, name) => encodeURIComponent(params[name]));
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== null));
  return `#${filled}${search.size ? `?${search}` : ""}`;
}
