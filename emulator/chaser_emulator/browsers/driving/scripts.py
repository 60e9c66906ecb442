"""Scripts that are run beside a page's own, on an element as `this`; each answers JSON."""

PLACE = """function (seen) {
  const element = this.nodeType === Node.ELEMENT_NODE ? this : this.documentElement || this.parentElement;
  if (!this.isConnected || !element) return {gone: true};
  if (element.matches(':disabled')) return {disabled: true};
  let rects;
  if (this.nodeType !== Node.TEXT_NODE) rects = [...element.getClientRects()];
  else { const range = document.createRange(); range.selectNodeContents(this); rects = [...range.getClientRects()]; }
  const clip = (rect) => {
    const left = Math.max(rect.left, 0), top = Math.max(rect.top, 0);
    const right = Math.min(rect.right, innerWidth), bottom = Math.min(rect.bottom, innerHeight);
    return {left, top, width: right - left, height: bottom - top};
  };
  const areas = rects.map(clip).filter((area) => area.width > 0 && area.height > 0);
  if (!areas.length) return {nowhere: true};
  const points = areas.slice(0, 4).map((area) => [area.left + area.width / 2, area.top + area.height / 2]);
  for (const [x, y] of [[.25, .5], [.75, .5], [.5, .25], [.5, .75]])
    points.push([areas[0].left + areas[0].width * x, areas[0].top + areas[0].height * y]);
  if (!seen) return {x: points[0][0], y: points[0][1]};
  const hosts = new Set();
  for (let root = element.getRootNode(); root.host; root = root.host.getRootNode()) hosts.add(root.host);
  const deepest = (x, y) => {
    let hit = document.elementFromPoint(x, y);
    while (hit && hit.shadowRoot) {
      const inner = hit.shadowRoot.elementFromPoint(x, y);
      if (!inner || inner === hit) break;
      hit = inner;
    }
    return hit;
  };
  const ours = (hit) => {
    if (!hit || hosts.has(hit)) return Boolean(hit);
    const label = hit.closest('label');
    if (label && label.control === element) return true;
    for (let node = hit; node; node = node.assignedSlot || node.parentNode || node.host)
      if (node === element) return true;
    return false;
  };
  for (const [x, y] of points) if (ours(deepest(x, y))) return {x, y};
  const hit = deepest(...points[0]);
  if (!hit) return {nowhere: true};
  const label = hit.id ? '#' + hit.id : hit.classList.length ? '.' + hit.classList[0] : '';
  return {covered: '<' + hit.localName + '>' + label};
}"""
"""Where to point at an element: `{x, y}` in its frame, or why nowhere. `seen`: only where nothing else is above it."""

BOX = """function () {
  const element = this.nodeType === Node.ELEMENT_NODE ? this : this.documentElement || this.parentElement;
  if (!this.isConnected || !element) return {gone: true};
  const box = element.getBoundingClientRect();
  return {x: box.x, y: box.y, width: box.width, height: box.height};
}"""

FILL = """function (value) {
  let element = this.nodeType === Node.ELEMENT_NODE ? this : this.documentElement || this.parentElement;
  if (!this.isConnected || !element) return {gone: true};
  if (element.localName === 'label' && element.control) element = element.control;
  if (element.localName === 'option') element = element.closest('select') || element;
  const name = element.localName, type = name === 'input' ? element.type : name;
  if (element.matches(':disabled') || element.ariaDisabled === 'true') return {disabled: true};
  const tell = () => {
    element.dispatchEvent(new Event('input', {bubbles: true, composed: true}));
    element.dispatchEvent(new Event('change', {bubbles: true}));
  };
  if (name === 'select') {
    const options = [...element.options], plain = (text) => text.replace(/\\s+/g, ' ').trim();
    const option = options.find((one) => one.value === value)
      || options.find((one) => [plain(one.label), plain(one.text)].includes(plain(value)));
    if (!option) return {options: options.slice(0, 50).map((one) => plain(one.label))};
    if (option.disabled || option.parentElement.disabled) return {barred: plain(option.label)};
    element.focus();
    if (element.multiple) for (const one of options) one.selected = one === option;
    else element.selectedIndex = option.index;
    tell();
    return {done: true, now: plain(option.label)};
  }
  if (type === 'checkbox' || type === 'radio' || (name !== 'input' && ['checkbox', 'switch'].includes(element.role))) {
    const now = 'checked' in element ? element.checked : element.ariaChecked === 'true';
    if (!['true', 'false'].includes(value)) return {accepted: '"true" or "false"'};
    if (type === 'radio' && value === 'false' && now) return {accepted: '"true"; choose another one instead'};
    return {click: now !== (value === 'true')};
  }
  if (['button', 'submit', 'reset', 'image', 'file', 'hidden'].includes(type))
    return {kind: name === 'input' ? 'an input for ' + type : '<' + name + '>'};
  if (element.readOnly) return {readonly: true};
  if (['color', 'date', 'datetime-local', 'month', 'range', 'time', 'week'].includes(type)) {
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
    const before = element.value;
    element.focus();
    set.call(element, value);
    const same = type === 'range' ? Number(element.value) === Number(value)
      : element.value === value.toLowerCase() || element.value === value || element.value.startsWith(value);
    if (!same || (value && !element.value)) {
      set.call(element, before);
      return {refused: type};
    }
    tell();
    return {done: true, now: element.value};
  }
  if (name === 'input' || name === 'textarea') {
    element.focus();
    element.select();
    return {type: true};
  }
  if (!element.isContentEditable) return {kind: '<' + name + '>'};
  element.focus();
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  return {type: true};
}"""
"""Fill in a form's element, or make it ready to be typed into (`type`) or clicked (`click`)."""

READ = """function () {
  let element = this.nodeType === Node.ELEMENT_NODE ? this : this.documentElement || this.parentElement;
  if (element.localName === 'label' && element.control) element = element.control;
  if (element.type === 'password') return {length: element.value.length, same: null};
  return {now: 'value' in element ? element.value : element.innerText};
}"""

CALM = """(quiet, longest) => new Promise((resolve) => {
  const done = (calm) => { observer.disconnect(); clearTimeout(timer); clearTimeout(end); resolve(calm); };
  const observer = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, quiet, true); });
  let timer = setTimeout(done, quiet, true);
  const end = setTimeout(done, longest, false);
  observer.observe(document, {attributes: true, childList: true, characterData: true, subtree: true});
})"""
"""Resolves once nothing in the document has changed for some milliseconds, or when it takes too long."""

HAS_TEXT = """(wanted) => {
  const plain = (text) => text.replace(/\\s+/g, ' ');
  const texts = wanted.map(plain);
  const found = (text) => texts.find((one) => plain(text).includes(one));
  const inside = (root) => {
    for (const element of root.querySelectorAll('*')) {
      if (!element.shadowRoot) continue;
      let hit;
      for (const child of element.shadowRoot.children) if ((hit = found(child.innerText || ''))) return hit;
      if ((hit = inside(element.shadowRoot))) return hit;
    }
    return undefined;
  };
  return found(document.body ? document.body.innerText : '') || inside(document) || null;
}"""
"""The first of some texts that is to be read in a document."""
