// Building elements: text stays text, whatever a cluster's names contain.

export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(made.style, value);
    else if (name in made && name !== "list" && name !== "form") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...flat(children));
  return made;
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

// The same, for what is drawn every few seconds: a child that has not changed stays, with the focus and the text that
// somebody has marked in it, and its listeners. What these need, such as a row, has to be in an attribute: `data-...`.
export function refill(element, ...children) {
  const made = flat(children).map((each) => (each instanceof Node ? each : document.createTextNode(each)));
  const before = [...element.childNodes];
  made.forEach((child, place) => {
    const old = before[place];
    if (!old) element.append(child);
    else if (!old.isEqualNode(child)) exchange(old, child);
  });
  before.slice(made.length).forEach((old) => old.remove());
  return element;
}

const FOCUSABLE = "a[href], button, input, select, summary, [tabindex]";

function exchange(old, made) {
  const place = old.contains(document.activeElement) ? [old, ...(old.querySelectorAll?.(FOCUSABLE) ?? [])].indexOf(document.activeElement) : -1;
  old.replaceWith(made);
  if (place >= 0) [made, ...(made.querySelectorAll?.(FOCUSABLE) ?? [])][place]?.focus({ preventScroll: true });
}

// What looks like a button and leads somewhere.
export function leading(href, label, attributes = {}) {
  return h("a", { href, className: "button", ...attributes }, label);
}

function flat(children) {
  return children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false).map((each) => (each instanceof Node ? each : String(each)));
}
