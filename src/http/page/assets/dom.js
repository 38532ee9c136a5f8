// Elements, questions to the admin API, and values put into words.
//
// What must stay true: text from outside reaches the document as text nodes only. No module parses markup, and the
// page's policy (`require-trusted-types-for`) makes the browser refuse to.

export const $ = (id) => document.getElementById(id);

/** An element with these properties; children that are no elements become text. */
export function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Sets text only where it differs, so that a selection or a screen reader is not disturbed every two seconds. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** What the server answered instead of what was asked for; `status` 0 means that there was no answer. */
class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * The admin API's response, where it is a good one. The header is what tells this page from another site's form: see
 * the session's cookie.
 */
export async function reach(method, path, { headers, ...more } = {}) {
  const request = { method, headers: { 'X-Tidegate': 'page', ...headers }, cache: 'no-store', ...more };
  const response = await fetch(`/admin/v1/${path}`, request).catch(() => {
    throw new Failure(0, 'The server cannot be reached.');
  });
  if (response.ok) return response;
  if (response.status === 401) document.dispatchEvent(new Event('signed-out'));
  const problem = await response.json().catch(() => null);
  throw new Failure(response.status, problem?.detail || `The server answered ${response.status}.`);
}

/** Asks the admin API, in JSON both ways. */
export async function ask(method, path, body) {
  const json = { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  const response = await reach(method, path, body === undefined ? {} : json);
  return response.json().catch(() => null);
}

/** A query string of those members that have a value. */
export const query = (members) => new URLSearchParams(Object.entries(members).filter(([, value]) => value)).toString();

/** What `keyed` has put where. */
const shown = new WeakMap();

/**
 * Shows a list whose items come anew again and again: what is known by its key is updated in place and keeps the
 * focus. `make(item)` gives `{ element, update(item) }`.
 */
export function keyed(parent, items, keyOf, make) {
  if (!shown.has(parent)) shown.set(parent, new Map());
  const known = shown.get(parent);
  const wanted = new Map(items.map((item) => [keyOf(item), item]));
  for (const [key, entry] of known) {
    if (wanted.has(key)) continue;
    entry.element.remove();
    known.delete(key);
  }
  let index = 0;
  for (const [key, item] of wanted) {
    if (!known.has(key)) known.set(key, make(item));
    const { element, update } = known.get(key);
    update(item);
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
    index += 1;
  }
}

/** A row of a table, with its cells by their labels, which a phone shows beside them. */
export function tableRow(labels, numbers = []) {
  const cells = {};
  for (const label of labels) {
    cells[label] = el('td', { className: numbers.includes(label) ? 'number' : '' });
    cells[label].dataset.label = label;
  }
  return { element: el('tr', {}, ...Object.values(cells)), cells };
}

/**
 * Makes a list of buttons one stop of the Tab key; arrows, Home and End move inside. The function that is returned
 * must be called whenever rows came or went.
 */
export function roving(list) {
  const rows = () => [...list.querySelectorAll('li:not([hidden]) > button')];
  const stop = (row) => {
    for (const old of list.querySelectorAll('[tabindex="0"]')) old.tabIndex = -1;
    if (row) row.tabIndex = 0;
  };
  list.addEventListener('focusin', (event) => stop(event.target.closest('button')));
  list.addEventListener('keydown', (event) => {
    const all = rows();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    all[Math.min(Math.max(to, 0), all.length - 1)]?.focus();
  });
  return () => {
    const all = rows();
    if (!all.some((row) => row.tabIndex === 0)) stop(all[0]);
  };
}

// Control characters, those that are not seen, and those that turn the direction of writing: they would show something
// other than what is there. They are those of `cli/output/printable.rs`, but for the ends of lines and the tab.
const DECEPTIVE =
  /[^\P{Cc}\t\n\r]|[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Text with every such character spelled out, as JSON would: beyond the first plane by its two halves. */
export const visible = (text) => String(text).replace(DECEPTIVE, (found) => found.split('').map(escaped).join(''));

/** JSON over several lines, with every digit of its numbers; text that is not JSON stays as it is. */
export function pretty(text) {
  const exact = (value, source) => (String(value) === source ? value : JSON.rawJSON(source));
  const digits = (_, value, context) =>
    typeof value === 'number' && JSON.rawJSON ? exact(value, context.source) : value;
  try {
    return visible(JSON.stringify(JSON.parse(text, digits), null, 2));
  } catch {
    return visible(text);
  }
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
export const count = (number) => (number < 100_000 ? number.toLocaleString('en') : compact.format(number));
export const rate = (number) => `${number < 10 ? number.toFixed(1) : count(Math.round(number))}/s`;

export function bytes(number) {
  const power = Math.min(Math.floor(Math.log2(Math.max(number, 1)) / 10), 4);
  const value = number / 1024 ** power;
  return `${value < 10 && power ? value.toFixed(1) : Math.round(value)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
}

const UNITS = Object.entries({ d: 86_400, h: 3_600, min: 60 });
export function duration(seconds) {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size * 2) ?? ['s', 1];
  const value = seconds / size;
  return `${value < 10 && unit !== 's' ? value.toFixed(1) : Math.round(value).toLocaleString('en')} ${unit}`;
}

/** A time of day with milliseconds; the API's times are UTC, and so is everything here. */
export const clock = (time) => time.slice(11, 23);
export const moment = (time) => `${time.slice(0, 10)} ${time.slice(11, 19)}`;
export const seconds = (time) => Date.parse(time) / 1000;
