// Live events and refusals, as `/admin/v1/tail` tells them: durable records only, newest first.
//
// Memory is bounded whatever comes: what has arrived waits as text until it is shown ten times a second, and both what
// waits and what is shown have a limit. What is left out is counted and said.

import { $, count, el, put, query, roving } from './dom.js';
import { openRecord, recordButton } from './record.js';

const ROWS_MAX = 500;
const TEXT_CHARS_MAX = 8 << 20;
const SHOWN_EVERY_MS = 100;
const REOPENED_AFTER_MS = 2_000;

let stream = null;
let timer = null;
let reopening = null;
let paused = false;
let arrived = [];
let rows = [];
let dropped = 0;
let offered = [];
let connection = '';

const list = $('live-rows');
const settle = roving(list);

/** Begins to listen; what came before is not shown. */
export const start = open;

/** Forgets everything. */
export function stop() {
  stream?.close();
  clearTimeout(reopening);
  arrived = [];
  rows = [];
  dropped = 0;
  list.replaceChildren();
  say();
}

/** Offers the configured sources in the filter. */
export function sources(all) {
  const names = all.map((source) => source.name);
  if (names.join() === offered.join()) return;
  offered = names;
  const select = $('live-source');
  const chosen = select.value;
  select.replaceChildren(select.options[0], ...names.map((name) => el('option', { value: name }, name)));
  select.value = names.includes(chosen) ? chosen : '';
  if (select.value !== chosen) choose();
}

/** The server filters by source and outcome, so that a firehose does not drown what is looked for. */
function open() {
  stream?.close();
  clearTimeout(reopening);
  const filter = { source: $('live-source').value, outcome: $('live-outcome').value };
  stream = new EventSource(`/admin/v1/tail?${query(filter)}`);
  stream.addEventListener('open', () => say('connected'));
  for (const kind of ['event', 'refusal']) stream.addEventListener(kind, (message) => arrive(message.data));
  stream.addEventListener('dropped', (message) => leaveOut(JSON.parse(message.data).records));
  stream.addEventListener('end', () => say('the server is stopping'));
  stream.addEventListener('error', () => {
    say('reconnecting');
    // The browser comes again by itself, from where it was, unless it was answered something else than a stream.
    if (stream.readyState === EventSource.CLOSED) reopening = setTimeout(open, REOPENED_AFTER_MS);
  });
}

/** Puts into words how things stand. */
function say(words = connection) {
  connection = words;
  const waiting = arrived.length === 1 ? '1 more waits' : `${count(arrived.length)} more wait`;
  put($('live-state'), paused ? `paused, ${waiting}` : connection);
  $('live-empty').hidden = list.querySelector('li:not([hidden])') !== null;
  put($('live-empty'), rows.length ? 'Nothing of what is kept fits the filter.' : 'Nothing has arrived yet.');
  $('live-dropped').hidden = dropped === 0;
  put($('live-dropped'), `${count(dropped)} left out: they came faster than they can be shown. All are kept.`);
}

function leaveOut(records) {
  dropped += records;
  say();
}

function arrive(text) {
  arrived.push(text);
  if (arrived.length > ROWS_MAX) {
    arrived.shift();
    // While paused the oldest give way, as they would on the screen.
    if (!paused) dropped += 1;
  }
  timer ??= setTimeout(show, SHOWN_EVERY_MS);
}

function show() {
  timer = null;
  if (!paused) {
    const added = arrived.map(row).reverse();
    arrived = [];
    list.prepend(...added.map((one) => one.element));
    rows = [...added, ...rows];
    let chars = 0;
    const first = rows.findIndex((one, index) => index >= ROWS_MAX || (chars += one.text.length) > TEXT_CHARS_MAX);
    // The newest stays, however large it is.
    if (first >= 0) rows.splice(Math.max(first, 1)).forEach((one) => one.element.remove());
    settle();
  }
  say();
}

function row(text) {
  const record = JSON.parse(text);
  const button = recordButton(record);
  button.addEventListener('click', () => openRecord(record, text));
  const one = { text, record, element: el('li', {}, button) };
  one.element.hidden = !fits(one);
  return one;
}

function fits({ text, record }) {
  const outcome = $('live-outcome').value;
  const wanted = $('live-text').value.toLowerCase();
  return (
    (!$('live-source').value || record.source === $('live-source').value) &&
    (!outcome || (outcome === 'refused') === (record.refusal_id !== undefined)) &&
    (!wanted || `${text}\n${record.body?.data ?? ''}`.toLowerCase().includes(wanted))
  );
}

function filter() {
  for (const one of rows) one.element.hidden = !fits(one);
  settle();
  say();
}

/** What the server leaves out is another choice now. */
function choose() {
  filter();
  open();
}

$('live-filter').addEventListener('submit', (event) => event.preventDefault());
$('live-text').addEventListener('input', filter);
for (const id of ['live-source', 'live-outcome']) $(id).addEventListener('change', choose);
$('live-pause').addEventListener('click', () => {
  paused = !paused;
  $('live-pause').ariaPressed = String(paused);
  $('live-pause').textContent = paused ? 'Resume' : 'Pause';
  show();
});
$('live-clear').addEventListener('click', () => {
  rows = [];
  dropped = 0;
  list.replaceChildren();
  say();
});
