// Refusals in storage: counted by rule, listed, and replayed by rule.

import { $, ask, count, el, keyed, moment, put, query, roving, tableRow } from './dom.js';
import { openRecord, recordButton } from './record.js';
import { rehearse } from './replay.js';

const LIST_LIMIT = 50;
const RESTS_AFTER_FAILURE_MS = 60_000;
let listed = null;
/** Counts that are under way, and until when none is begun by itself. */
let counting = 0;
let restsUntil = 0;
const settle = roving($('refusals-list'));

/** Counts anew, because somebody asks. A database that does not answer costs this part of the page only. */
export const refresh = () => guarded(recount);

/** Counts anew where somebody may look, and the database is not busy with the last count or unable to do it. */
export function poll() {
  if (!document.hidden && !counting && performance.now() >= restsUntil) refresh();
}

async function recount() {
  counting += 1;
  try {
    await summarize();
    restsUntil = 0;
  } catch (failure) {
    restsUntil = performance.now() + RESTS_AFTER_FAILURE_MS;
    throw failure;
  } finally {
    counting -= 1;
  }
}

async function summarize() {
  const state = $('refusals-state').value;
  const { items } = await ask('GET', `refusals/summary?${query({ state })}`);
  // Meanwhile another state may have been asked for.
  if (state !== $('refusals-state').value) return;
  keyed($('refusals-summary'), items, (item) => `${item.rule} ${item.source} ${item.state}`, summaryRow);
  $('refusals-empty').hidden = items.length > 0;
}

function summaryRow({ source, rule, state }) {
  const row = tableRow(['Rule', 'Source', 'State', 'Count', 'First', 'Last', 'Actions'], ['Count']);
  row.cells.Rule.append(el('code', {}, rule));
  row.cells.Source.append(source);
  row.cells.State.append(state);
  const about = `${rule} of ${source}, ${state}`;
  const show = el('button', { type: 'button', ariaLabel: `List ${about}` }, 'List');
  show.addEventListener('click', () => guarded(() => list({ source, rule, state })));
  row.cells.Actions.append(show);
  if (state === 'new') {
    const replay = el('button', { type: 'button', ariaLabel: `Replay ${about}` }, 'Replay…');
    replay.addEventListener('click', () => {
      $('replay-title').textContent = `Replay ${rule} of ${source}`;
      $('replay').showModal();
      rehearse($('replay-actions'), { source, rule });
    });
    row.cells.Actions.append(replay);
  }
  row.update = (item) => {
    put(row.cells.Count, count(item.count));
    put(row.cells.First, moment(item.first));
    put(row.cells.Last, moment(item.last));
  };
  return row;
}

/** Lists refusals of one rule; without one, what follows those that are listed. */
async function list(filter) {
  if (filter) {
    $('refusals-list').replaceChildren();
    $('refusals-list-title').textContent = `${filter.rule} of ${filter.source}, ${filter.state}`;
    listed = { filter, next: null };
  }
  const page = await ask('GET', `refusals?${query({ ...listed.filter, limit: LIST_LIMIT, cursor: listed.next })}`);
  listed.next = page.next;
  for (const item of page.items) {
    const button = recordButton(item);
    const show = async () => openRecord(await ask('GET', `refusals/${item.refusal_id}`));
    button.addEventListener('click', () => guarded(show));
    $('refusals-list').append(el('li', {}, button));
  }
  settle();
  $('refusals-list-part').hidden = false;
  $('refusals-more').hidden = !page.next;
  if (filter) $('refusals-list').querySelector('button')?.focus();
}

/** Runs what a button asks for and says what went wrong. */
async function guarded(work) {
  $('refusals-error').textContent = '';
  await work().catch((failure) => {
    $('refusals-error').textContent = failure.message;
  });
}

$('refusals-filter').addEventListener('submit', (event) => event.preventDefault());
$('refusals-state').addEventListener('change', refresh);
$('refusals-refresh').addEventListener('click', refresh);
$('refusals-more').addEventListener('click', () => guarded(() => list()));
document.addEventListener('replayed', refresh);
