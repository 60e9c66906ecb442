// Nodes of the page, made of names, properties and texts. Nothing here, and nothing elsewhere, reads text as markup.

/**
 * h("button", {class: "primary", onclick: save, disabled: true}, "Save")
 *
 * A property that begins with "on" is a listener; what a button or a form begins is not begun again before its promise
 * is kept, so that a double click makes nothing twice. A property whose value is null, undefined or false is left out;
 * `true` is an attribute without a value; `value`, `checked`, `selected`, `open` and `indeterminate` are set as
 * properties; an object as `dataset` gives data-* attributes, and one as `style` sets properties of its style. Children
 * are nodes, texts, numbers and lists of them; null, undefined and booleans are left out.
 */
export function h(tag, properties, ...children) {
  const namespaced = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : null;
  const node = namespaced ?? document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (ACTS.has(`${tag} ${name}`)) node.addEventListener(name.slice(2), onceAtATime(value));
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) node.style.setProperty(key, one);
    else if (AS_PROPERTY.has(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

/** The button that was clicked last. */
let clicked = null;

/**
 * Whether a click is the second one of two that were meant as one: on what has come into the place of the button that had
 * the first, as the next row of a list, or on what takes something away.
 */
function isEcho({ currentTarget: button, detail }) {
  const echo = detail > 1 && (button !== clicked || button.classList.contains("danger"));
  if (!echo) clicked = button;
  return echo;
}

function onceAtATime(act) {
  let under = false;
  return (event) => {
    if (under || isEcho(event)) {
      event.preventDefault();
      return;
    }
    const begun = act(event);
    if (!(begun instanceof Promise)) return;
    under = true;
    begun.finally(() => {
      under = false;
    });
  };
}

const ACTS = new Set(["button onclick", "form onsubmit"]);
const SVG = new Set(["svg", "path", "rect", "circle", "line", "g", "polyline"]);
const AS_PROPERTY = new Set(["value", "checked", "selected", "open", "indeterminate"]);

/** Add children, as `h` takes them. */
export function append(node, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || typeof child === "boolean") continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Put children in the place of those that a node has. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, ...children);
  return node;
}

/** The same, the focus staying where it was: on what is in the same place now. */
export function refill(node, ...children) {
  const reachable = () => [...node.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
  const at = reachable().indexOf(document.activeElement);
  fill(node, ...children);
  if (at >= 0) (reachable()[at] ?? reachable().at(-1) ?? document.getElementById("main")).focus({ preventScroll: true });
  return node;
}

let made = 0;

/** An id that nothing else on the page has. */
export function freshId(word = "x") {
  made += 1;
  return `${word}-${made}`;
}
