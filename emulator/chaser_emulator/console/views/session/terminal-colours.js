// The colours of a terminal, read from the stylesheet, so that they go with the page in light and dark.

import { h } from "../../dom.js";

const PLAIN = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/** The colours as the component wants them, as they are for a node at this moment. */
export function colours(node) {
  const probe = h("span", { hidden: true });
  node.append(probe);
  const colour = (name) => {
    probe.style.setProperty("color", `var(--${name})`);
    return getComputedStyle(probe).color;
  };
  const found = {
    background: colour("terminal-ground"),
    foreground: colour("text"),
    cursor: colour("accent"),
    cursorAccent: colour("terminal-ground"),
    selectionBackground: colour("terminal-chosen"),
    scrollbarSliderBackground: colour("line"),
    scrollbarSliderHoverBackground: colour("quiet"),
    scrollbarSliderActiveBackground: colour("quiet"),
  };
  for (const name of PLAIN) {
    found[name] = colour(`terminal-${name}`);
    found[`bright${name[0].toUpperCase()}${name.slice(1)}`] = colour(`terminal-bright-${name}`);
  }
  probe.remove();
  return found;
}

/** Call a listener when the page becomes light or dark; it answers what ends that. */
export function onThemeChange(listener) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = new MutationObserver(listener);
  system.addEventListener("change", listener);
  chosen.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => {
    system.removeEventListener("change", listener);
    chosen.disconnect();
  };
}
