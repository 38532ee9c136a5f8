"""Runs: a load on a server, with the CPU and memory that it cost; rounds of them, interleaved; their medians."""

import os
import statistics
import sys
from dataclasses import asdict, dataclass

import machine


@dataclass
class Run:
    """One measurement. CPU is user and system time of the server's processes for each event that was taken."""

    what: str
    events: int
    rate: float
    cpu_micros: float
    p50_ms: float
    p99_ms: float
    rss_mib: float
    peak_mib: float
    fault: str = ""


def measure(what, server, load, finish=None):
    """Runs `load`, which returns a `Load`; `finish` is still counted, and not timed: storing what was taken, say."""
    machine.reset_peak(server.pid)
    before = machine.cpu_seconds(server.pid)
    seen = load()
    if finish:
        finish()
    spent = machine.cpu_seconds(server.pid) - before
    run = Run(what, seen.events, seen.rate, spent / seen.events * 1e6, seen.p50_ms, seen.p99_ms,
              machine.resident_mib(server.pid), machine.peak_mib(server.pid), seen.fault)
    say(f"  {what}: {run.rate:,.0f} events/s, {run.cpu_micros:.2f} µs CPU an event, p99 {run.p99_ms:.2f} ms, "
        f"{run.peak_mib:.0f} MiB" + (f" — INVALID: {run.fault}" if run.fault else ""))
    return run


def interleave(rounds, candidates):
    """`candidates` maps a name to what measures it once. Each round measures all of them, A B C A B C …"""
    runs = {name: [] for name in candidates}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for name, measure_once in candidates.items():
            # What earlier runs left to be written must not slow this one's fsyncs.
            os.sync()
            runs[name].append(measure_once())
    return runs


def faults(runs):
    """The runs that are worth nothing, in words."""
    return [f"{run.what}, round {number}: {run.fault}"
            for series in runs.values() for number, run in enumerate(series, 1) if run.fault]


def values(series, field):
    """A field of all runs that are valid."""
    return [getattr(run, field) for run in series if not run.fault]


def paired(above, below, combine, field):
    """Combines a field of two candidates round by round: only what ran side by side is compared."""
    return [combine(getattr(one, field), getattr(other, field))
            for one, other in zip(above, below) if not one.fault and not other.fault]


def ratio(one, other):
    return one / other if other else float("inf")


def difference(one, other):
    return one - other


def spread(numbers, digits=1):
    """Median (min–max), with thousands set apart."""
    if not numbers:
        return "invalid"
    low, middle, high = (f"{number:,.{digits}f}" for number in
                         (min(numbers), statistics.median(numbers), max(numbers)))
    return middle if len(numbers) == 1 else f"{middle} ({low}–{high})"


def raw(runs):
    """All runs, as JSON takes them."""
    return {name: [asdict(run) for run in series] for name, series in runs.items()}


def say(text):
    """Progress goes to standard error; tables go to standard output."""
    print(text, file=sys.stderr, flush=True)
