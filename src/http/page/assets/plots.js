// Throughput and outcomes over the last minutes. Rates are differences of the status's counters, which begin anew with
// the process. uPlot draws; it comes as a script of its own, because that is how it is published.

import { $, count, rate, seconds } from './dom.js';

const PLOTTED_SECONDS = 300;
const PLOT_HEIGHT = 150;

/** Outcome, its name in the legend, the CSS variable of its colour, and its dashes. */
const COMMITTED = [['committed', 'committed', '--accent']];
const OTHERS = [
  ['refused', 'refused', '--bad'],
  ['shed', 'shed', '--warn'],
  ['duplicate', 'duplicate', '--accent', [6, 3]],
  ['ignored', 'ignored', '--quiet'],
  ['filtered', 'filtered', '--quiet', [6, 3]],
  ['sampled_out', 'sampled out', '--quiet', [2, 3]],
];

let samples = [];
let last = null;
let charts = [];

/** Takes the next sample, and draws. */
export function plot(status, outcomes) {
  const at = seconds(status.now);
  // After a restart the counters are new ones, and a difference to the old ones would mean nothing.
  const comparable = last?.started === status.started_at && at > last.at;
  const difference = (name) => Math.max(0, (outcomes[name] ?? 0) - (last.outcomes[name] ?? 0)) / (at - last.at);
  samples.push({ at, values: [...COMMITTED, ...OTHERS].map(([name]) => (comparable ? difference(name) : null)) });
  last = { started: status.started_at, at, outcomes };
  samples = samples.filter((sample) => sample.at > at - PLOTTED_SECONDS - 10);
  if (!charts.length) charts = [chart('throughput', COMMITTED, 0), chart('outcomes', OTHERS, COMMITTED.length)];
  charts.forEach(({ draw }) => draw());
}

/** A plot of some columns of the samples. */
function chart(id, series, first) {
  const place = $(id);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = {
    stroke: () => colour('--quiet'),
    grid: { stroke: () => colour('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui',
  };
  const uplot = new uPlot(
    {
      width: place.clientWidth,
      height: PLOT_HEIGHT,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), 'Etc/UTC'),
      cursor: { y: false, drag: { x: false, y: false } },
      legend: { markers: { width: 2 } },
      scales: {
        x: { range: () => [last.at - PLOTTED_SECONDS, last.at] },
        y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] },
      },
      axes: [
        { ...axis, size: 26, space: 70, values: '{HH}:{mm}' },
        { ...axis, size: 48, values: (_, values) => values.map((value) => count(value)) },
      ],
      series: [
        { label: 'UTC', value: '{HH}:{mm}:{ss}' },
        ...series.map(([, label, name, dash]) => ({
          label,
          dash,
          width: 1.5,
          points: { show: false },
          stroke: () => colour(name),
          value: (_, value) => (value === null ? '–' : rate(value)),
        })),
      ],
    },
    [[], ...series.map(() => [])],
    place,
  );
  const fit = () => uplot.setSize({ width: place.clientWidth, height: PLOT_HEIGHT });
  const draw = () => {
    uplot.setData([
      samples.map((sample) => sample.at),
      ...series.map((_, index) => samples.map((sample) => sample.values[first + index])),
    ]);
    if (!(uplot.cursor.left >= 0)) uplot.setLegend({ idx: samples.length - 1 });
    place.ariaLabel = series
      .map(([, label], index) => `${label} ${rate(samples.at(-1).values[first + index] ?? 0)}`)
      .join(', ');
  };
  return { draw, fit, remove: () => uplot.destroy() };
}

const resized = new ResizeObserver(() => charts.forEach(({ fit }) => fit()));
for (const id of ['throughput', 'outcomes']) resized.observe($(id));
// Legends keep the colours that they were made with: the next sample makes new ones.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  charts.forEach(({ remove }) => remove());
  charts = [];
});
