// What `/admin/v1/status` tells: tiles, lanes, sources and health.

import { $, ask, bytes, count, duration, el, keyed, moment, put, rate, seconds, tableRow } from './dom.js';
import { plot } from './plots.js';

/** The server's time, so that the browser's clock does not matter. */
let now = 0;

/** Shows a status. */
export function show(status) {
  now = seconds(status.now);
  put($('version'), status.version);
  put($('readiness'), status.ready ? 'ready' : 'not ready');
  $('readiness').classList.toggle('bad', !status.ready);
  const outcomes = sum(status.sources.map((source) => source.outcomes));
  tiles(status, outcomes);
  plot(status, outcomes);
  keyed($('lane-rows'), status.lanes, (lane) => lane.sink, laneRow);
  keyed($('source-cards'), status.sources, (source) => source.name, sourceCard);
  health(status);
}

function sum(parts) {
  const total = {};
  for (const part of parts) for (const [name, value] of Object.entries(part)) total[name] = (total[name] ?? 0) + value;
  return total;
}

function tiles({ spool, lanes, started_at: started }, outcomes) {
  put($('intake'), rate(spool.records_per_second));
  put($('intake-note'), `${bytes(spool.bytes_per_second)}/s`);
  put($('spool'), bytes(spool.bytes));
  $('spool-meter').value = spool.bytes / spool.max_bytes;
  const troubles = [
    [spool.phase !== 'open', spool.phase],
    [spool.no_space, 'the disk is full'],
    [spool.lacks_quota, 'over its quota'],
  ];
  const trouble = troubles.find(([holds]) => holds)?.[1] ?? '';
  const left = spool.seconds_left === null ? '' : `, ${duration(spool.seconds_left)} left at this rate`;
  put($('spool-note'), trouble || `of ${bytes(spool.max_bytes)}${left}`);
  $('spool-note').classList.toggle('error', trouble !== '');
  const worst = lanes.reduce(
    (found, lane) => (lane.lag_records > found.lag_records ? lane : found),
    lanes[0] ?? { lag_records: 0 },
  );
  put($('lag'), count(worst.lag_records));
  put($('lag-note'), worst.lag_records ? `${duration(worst.lag_seconds)}, ${worst.sink}` : 'everything is delivered');
  put($('refused'), count(outcomes.refused ?? 0));
  put($('refused-note'), `of ${count(outcomes.received ?? 0)} in ${duration(now - seconds(started))}`);
  const dead = lanes.reduce((total, lane) => total + lane.dead_letters, 0);
  put($('dead'), count(dead));
  $('dead').classList.toggle('error', dead > 0);
  put($('dead-note'), bytes(lanes.reduce((total, lane) => total + lane.dead_letters_bytes, 0)));
}

function laneRow({ sink }) {
  const row = tableRow(
    ['Sink', 'State', 'Lag, records', 'Lag, time', 'Dead letters', 'Last error', 'Actions'],
    ['Lag, records', 'Lag, time', 'Dead letters'],
  );
  const state = el('span', { className: 'pill' });
  const button = el('button', { type: 'button' });
  row.cells.Sink.append(sink);
  row.cells.State.append(state);
  row.cells.Actions.append(button);
  row.update = (lane) => {
    put(state, lane.state.replace('_', ' ') + (lane.trouble ? `: ${lane.trouble}` : ''));
    state.classList.toggle('bad', lane.state === 'paused');
    state.classList.toggle('warn', lane.state === 'backing_off');
    put(row.cells['Lag, records'], count(lane.lag_records));
    put(row.cells['Lag, time'], duration(lane.lag_seconds));
    put(row.cells['Dead letters'], count(lane.dead_letters));
    put(row.cells['Last error'], lane.last_error ? `${lane.last_error.code}, ${moment(lane.last_error.at)}` : 'none');
    const verb = lane.state === 'running' || lane.state === 'starting' ? 'Pause' : 'Resume';
    put(button, verb);
    button.ariaLabel = `${verb} lane ${sink}`;
  };
  button.addEventListener('click', async () => {
    $('lanes-error').textContent = '';
    try {
      row.update(await ask('POST', `lanes/${encodeURIComponent(sink)}/${button.textContent.toLowerCase()}`));
    } catch (failure) {
      $('lanes-error').textContent = failure.message;
    }
  });
  return row;
}

function sourceCard({ name, kind }) {
  const state = el('span', { className: 'pill' });
  const paths = el('p', { className: 'quiet' });
  const outcomes = el('dl', { className: 'facts' });
  const title = el('h4');
  const secrets = el('ul', { className: 'checks' });
  const bar = el('div', { className: 'bar' }, el('h3', {}, name), el('span', { className: 'quiet' }, kind), state);
  const update = (source) => {
    put(state, source.enabled ? `${source.priority} priority` : 'disabled');
    state.classList.toggle('warn', !source.enabled);
    put(paths, source.paths.join(' '));
    const seen = Object.entries(source.outcomes).filter(([outcome, number]) => number || outcome === 'received');
    keyed(outcomes, seen, ([outcome]) => outcome, outcomeFact);
    put(title, source.secrets.length ? 'Secrets, last used' : 'No secrets');
    keyed(secrets, source.secrets, (secret) => secret.id, secretLine);
  };
  return { element: el('article', {}, bar, paths, outcomes, title, secrets), update };
}

function outcomeFact([outcome]) {
  const value = el('dd');
  const element = el('div', {}, el('dt', {}, outcome.replace('_', ' ')), value);
  return { element, update: ([, number]) => put(value, count(number)) };
}

/** A secret by its id; its value never leaves the server. */
function secretLine({ id }) {
  const used = el('span');
  const update = (secret) => {
    const last = secret.last_used ? `${duration(Math.max(0, now - seconds(secret.last_used)))} ago` : 'never';
    const end = secret.expired ? ', expired' : secret.not_after ? `, until ${moment(secret.not_after)}` : '';
    put(used, last + end);
    used.classList.toggle('error', secret.expired);
  };
  return { element: el('li', {}, el('code', {}, id), used), update };
}

function health({ checks, config, config_version: version }) {
  keyed($('checks'), checks, (check) => check.name, checkLine);
  const loaded = `Settings ${version}, loaded ${moment(config.loaded_at)} UTC.`;
  const failed = `The last reload failed, so that older settings hold. ${loaded}`;
  put($('settings'), config.reload_successful ? loaded : failed);
  $('settings').classList.toggle('error', !config.reload_successful);
}

function checkLine({ name }) {
  const state = el('span', { className: 'pill' });
  const detail = el('span', { className: 'quiet' });
  const update = (check) => {
    put(state, check.ok ? 'ok' : 'failing');
    state.classList.toggle('bad', !check.ok && check.decisive);
    state.classList.toggle('warn', !check.ok && !check.decisive);
    put(detail, check.detail);
  };
  return { element: el('li', {}, el('span', {}, name), state, detail), update };
}
