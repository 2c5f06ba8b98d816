/* Makes and renews elements. All text is set as text: what providers and users wrote is never markup. */

/**
 * An element. `props` are its attributes; those that begin with `on` are listeners, `class` and `data-…` as in HTML,
 * undefined and false ones are left out. Children are elements, texts, or nothing.
 */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false || value === null) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(
    ...children.flat().filter((child) => child !== undefined && child !== null && child !== false),
  );
  return element;
}

/**
 * Brings the children of a parent to what they should be, and touches only what has changed, so that what is opened,
 * focused or selected stays so.
 * @param make (item, before) → element; called where an item is new or not the same as before
 */
export function renew(parent, items, keyOf, make) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const json = JSON.stringify(item);
    const before = known.get(key);
    known.delete(key);
    let element = before;
    if (!before || before.sourceJson !== json) {
      const focused = before && pathToFocus(before);
      element = make(item, before);
      element.dataset.key = key;
      element.sourceJson = json;
      if (before) {
        if (place === before) place = element;
        before.replaceWith(element);
        if (focused) focusAt(element, focused);
      }
    }
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const left of known.values()) left.remove();
}

/** Where in it the focus is: which child, of that which child, and so on; undefined where it is elsewhere. */
function pathToFocus(element) {
  const path = [];
  for (let at = document.activeElement; element.contains(at); at = at.parentElement) {
    if (at === element) return path;
    path.unshift([...at.parentElement.children].indexOf(at));
  }
  return undefined;
}

function focusAt(element, path) {
  let at = element;
  for (const index of path) at = at?.children[index];
  at?.focus({ preventScroll: true });
}

/** Sets the text where it is another. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Keeps an element for something that may be there or not. */
export function show(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown;
}

/** A row of a table: cells are `[content, class, title]`, content a text or an element; labels name them on a phone. */
export function row(labels, cells, props = {}) {
  return el(
    'tr',
    props,
    cells.map(([content, className, title], index) =>
      el('td', { class: className, title, 'data-label': labels[index] }, content ?? ''),
    ),
  );
}

/** A table with these headings; an entry is a heading or `[heading, class]`. */
export function table(headings, caption) {
  const body = el('tbody');
  const head = headings.map((heading) => {
    const [text, className] = [heading].flat();
    return el('th', { scope: 'col', class: className }, text);
  });
  return {
    body,
    labels: headings.map((heading) => [heading].flat()[0]),
    element: el(
      'table',
      {},
      el('caption', { class: 'unseen' }, caption),
      el('thead', {}, el('tr', {}, head)),
      body,
    ),
  };
}

/** An id, of which the beginning is seen until it has the focus; as a whole it can be copied. */
export function id(text) {
  return el('span', { class: 'id', tabindex: '0', title: text }, text);
}
