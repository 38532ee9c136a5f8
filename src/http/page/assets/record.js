// One event or one refusal: its line in a list, and the dialog that shows it whole.

import { $, clock, el, pretty, visible } from './dom.js';
import { rehearse } from './replay.js';

/** One line about an event or a refusal. */
export function recordButton(record) {
  const refused = record.refusal_id !== undefined;
  const named = [record.event_type, record.name === record.event_type ? null : record.name].filter(Boolean);
  const what = refused
    ? [`${record.rule} `, el('span', { className: 'quiet' }, visible(record.message))]
    : [visible(named.join(' · '))];
  const cells = [
    el('time', { dateTime: record.received_at }, clock(record.received_at)),
    el('span', { className: refused ? 'outcome bad' : 'outcome' }, refused ? 'refused' : 'committed'),
    el('span', {}, record.source),
    el('bdi', {}, ...what),
    el('bdi', { className: 'quiet' }, visible(record.user_id ?? record.anonymous_id ?? '')),
  ];
  return el('button', { type: 'button', className: 'row', tabIndex: -1 }, ...cells);
}

/** Shows one event or refusal whole. `text` is its JSON as it came, for its digits and its order. */
export function openRecord(record, text) {
  const refused = record.refusal_id !== undefined;
  $('record-title').textContent = refused ? 'Refused' : visible(record.name || record.event_type || 'Event');
  $('record-why').hidden = !refused;
  if (refused) showReason(record);
  showFacts(refused ? refusalFacts(record) : eventFacts(record));
  if (refused) showText(record.body?.data ? 'What was sent' : 'No body was kept', record.body);
  else showText('As stored', { encoding: 'utf-8', data: text });
  const replayable = refused && (record.state ?? 'new') === 'new';
  $('record-replay').hidden = !replayable;
  if (replayable) offerReplay(record.refusal_id);
  if (!$('record').open) $('record').showModal();
  $('record-text').scrollTop = 0;
}

function showReason({ message, rule, pointer }) {
  const where = pointer ? [' at ', el('code', {}, visible(pointer))] : [];
  const which = el('p', { className: 'quiet' }, 'Rule ', el('code', {}, rule), ...where);
  $('record-why').replaceChildren(el('p', {}, visible(message)), which);
}

const eventFacts = (event) => ({
  Received: event.received_at,
  Source: event.source,
  Event: event.event_id,
  Key: event.dedup_key,
  User: event.user_id,
});

const refusalFacts = (refusal) => ({
  Received: refusal.received_at,
  Source: refusal.source,
  Refusal: refusal.refusal_id,
  Element: refusal.element,
  Request: `${refusal.method} ${refusal.path}`,
  State: refusal.state,
});

function showFacts(facts) {
  const known = Object.entries(facts).filter(([, value]) => (value ?? '') !== '');
  const fact = ([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, el('bdi', {}, visible(value))));
  $('record-facts').replaceChildren(...known.map(fact));
}

function showText(title, body) {
  const raw = body?.data ?? '';
  const encoded = body?.encoding === 'base64';
  $('record-form').textContent = encoded ? `${title}, in base64` : title;
  $('record-raw').hidden = encoded || !raw;
  $('record-text').hidden = !raw;
  const turn = (asReceived) => {
    $('record-raw').ariaPressed = String(asReceived);
    $('record-text').textContent = encoded || asReceived ? visible(raw) : pretty(raw);
  };
  $('record-raw').onclick = () => turn($('record-raw').ariaPressed !== 'true');
  turn(false);
}

function offerReplay(id) {
  const attempt = el('button', { type: 'button', className: 'primary' }, 'Try a replay');
  attempt.addEventListener('click', () => rehearse($('record-replay'), { ids: [id] }));
  const hint = el('span', { className: 'quiet' }, 'A dry run first: nothing is stored yet.');
  $('record-replay').replaceChildren(attempt, hint);
}
