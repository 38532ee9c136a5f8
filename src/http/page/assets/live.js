// Live events and refusals, as `/admin/v1/tail` tells them: durable records only, newest first.
//
// Memory is bounded whatever comes: what has arrived waits as text until it is shown ten times a second, and both what
// waits and what is shown have a limit. What is left out is counted and said.
//
// Places at the server are few, and so are a browser's connections to it: a page that nobody sees holds neither. When
// it is seen again it goes on where it was.

import { $, count, el, put, query, reach, roving } from './dom.js';
import { openRecord, recordButton } from './record.js';
import { notices } from './stream.js';

const ROWS_MAX = 500;
const TEXT_CHARS_MAX = 8 << 20;
const SHOWN_EVERY_MS = 100;
const REOPENED_AFTER_MS = 2_000;

/** What ends the stream that is open. */
let stream = new AbortController();
let following = false;
let timer = null;
let reopening = null;
/** Where the spool ended when the status was last told, and the last record of it that this page has had or passed. */
let end = 0;
let last = -1;
let paused = false;
let arrived = [];
let arrivedChars = 0;
let rows = [];
let dropped = 0;
let offered = [];
let connection = '';

const list = $('live-rows');
const settle = roving(list);

/** Begins to listen; what came before is not shown. */
export function start() {
  following = true;
  last = end - 1;
  open();
}

/** Forgets everything. */
export function stop() {
  following = false;
  close();
  take();
  rows = [];
  dropped = 0;
  list.replaceChildren();
  say();
}

/** Knows where the spool ends, and offers the configured sources in the filter. */
export function know({ spool, sources }) {
  end = spool.end;
  const names = sources.map((source) => source.name);
  if (names.join() === offered.join()) return;
  offered = names;
  const select = $('live-source');
  const chosen = select.value;
  select.replaceChildren(select.options[0], ...names.map((name) => el('option', { value: name }, name)));
  select.value = names.includes(chosen) ? chosen : '';
  if (select.value !== chosen) choose();
}

/** The server filters by source and outcome, so that a firehose does not drown what is looked for. */
async function open() {
  close();
  if (!following || document.hidden) return;
  const { signal } = (stream = new AbortController());
  const filter = { source: $('live-source').value, outcome: $('live-outcome').value };
  const headers = last < 0 ? {} : { 'Last-Event-ID': String(last) };
  let words = 'reconnecting';
  try {
    const response = await reach('GET', `tail?${query(filter)}`, { headers, signal });
    say('connected');
    for await (const notice of notices(response)) {
      if (signal.aborted) return;
      hear(notice);
    }
  } catch (failure) {
    // The server's own reason stays to be read while the page tries again.
    if (failure.status) words = `${failure.message}; trying again`;
  }
  if (signal.aborted) return;
  say(words);
  reopening = setTimeout(open, REOPENED_AFTER_MS);
}

function close() {
  stream.abort();
  clearTimeout(reopening);
}

function hear({ event, data, id }) {
  if (event === 'dropped') leaveOut(JSON.parse(data).records);
  else if (event === 'end') say('the server is stopping');
  else {
    last = Number(id);
    arrive(data);
  }
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
  arrivedChars += text.length;
  // The newest stays, however large it is.
  while (arrived.length > ROWS_MAX || (arrivedChars > TEXT_CHARS_MAX && arrived.length > 1)) {
    arrivedChars -= arrived.shift().length;
    // While paused the oldest give way, as they would on the screen.
    if (!paused) dropped += 1;
  }
  timer ??= setTimeout(show, SHOWN_EVERY_MS);
}

/** What has arrived; nothing waits any more. */
function take() {
  const taken = arrived;
  arrived = [];
  arrivedChars = 0;
  return taken;
}

function show() {
  timer = null;
  if (!paused) {
    const added = take().map(row).reverse();
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

/** What the server leaves out is another choice now; what it left out before is not made up for. */
function choose() {
  filter();
  last = Math.max(last, end - 1);
  open();
}

document.addEventListener('visibilitychange', open);

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
