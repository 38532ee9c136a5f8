// Replays: a dry run first, its outcome in words, and only then the button that does it.

import { ask, count, el } from './dom.js';

/**
 * Finds out in `place` what a replay would do, and offers to do it. Everything happens in an area of its own: once that
 * is replaced by another record's, nothing of this one can appear there.
 */
export async function rehearse(place, filter) {
  const area = el('div', { className: 'actions' });
  place.replaceChildren(area);
  const would = await replay(area, filter, true);
  if (!would?.stored) return leave(area);
  const words = would.stored === 1 ? 'Replay it' : `Replay ${count(would.stored)}`;
  const go = el('button', { type: 'button', className: 'primary' }, words);
  go.addEventListener('click', async () => {
    await replay(area, filter, false);
    document.dispatchEvent(new Event('replayed'));
    leave(area);
  });
  area.append(go);
  go.focus();
}

/** The button that had the focus is gone; what is left to do is to close. */
function leave(area) {
  area.closest('dialog')?.querySelector('.close').focus();
}

/** Goes through all that fits, some at a time, for as long as somebody watches; gives the sum. */
async function replay(area, filter, dryRun) {
  const words = el('div', { role: 'status' });
  area.replaceChildren(words);
  const sum = {};
  let cursor = null;
  try {
    do {
      words.textContent = `${dryRun ? 'Trying' : 'Replaying'}: ${count(sum.considered ?? 0)} so far…`;
      const part = await ask('POST', 'refusals/replay', { ...filter, dry_run: dryRun, cursor });
      cursor = part.next;
      add(sum, part);
    } while (cursor && area.closest('dialog')?.open);
  } catch (failure) {
    const done = sum.considered ? inWords(sum, dryRun) : [];
    words.replaceChildren(el('p', { className: 'error' }, failure.message), ...done);
    return null;
  }
  words.replaceChildren(...inWords(sum, dryRun));
  return sum;
}

/** Adds up all numbers, also those within. */
function add(sum, part) {
  for (const [name, value] of Object.entries(part)) {
    if (typeof value === 'number') sum[name] = (sum[name] ?? 0) + value;
    else if (value && typeof value === 'object') add((sum[name] ??= {}), value);
  }
}

function inWords(sum, dryRun) {
  if (!sum.considered) return [el('p', {}, 'Nothing to replay: not in storage yet, or replayed or discarded before.')];
  const lines = [
    [sum.stored, dryRun ? 'would be stored' : 'stored'],
    [sum.duplicates, 'known already'],
    ...Object.entries(sum.refused ?? {}).map(([rule, number]) => [number, `still refused: ${rule}`]),
    ...Object.entries(sum.ignored ?? {}).map(([rule, number]) => [number, `ignored: ${rule}`]),
    [sum.filtered, 'filtered'],
    [sum.not_replayable?.truncated, 'cannot be replayed: the body was cut'],
    [sum.not_replayable?.source_unknown, 'cannot be replayed: the source is gone'],
  ].filter(([number], index) => number || index === 0);
  const line = ([number, words]) => el('li', {}, el('b', {}, count(number ?? 0)), ` ${words}`);
  return [el('ul', {}, ...lines.map(line))];
}
