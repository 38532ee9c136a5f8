"""Part `durability`: what fsync costs, by a build that can leave it out (T3)."""

import load
import runs
from outcome import Outcome
from report import conditions, table
from tidegate import Tidegate

CONNECTIONS = 64
SIZES = (1, 100)
SYNCED, UNSYNCED = "with fsync", "without"
SKIP = {"TIDEGATE_FAULT_SKIP_FSYNC": "1"}


def run(bench):
    candidates = {(what, size): lambda what=what, size=size: taken(bench, what, size)
                  for size in SIZES for what in (SYNCED, UNSYNCED)}
    measured = runs.interleave(bench.rounds, candidates)
    ratios = {size: runs.paired(measured[SYNCED, size], measured[UNSYNCED, size], runs.ratio, "rate")
              for size in SIZES}
    rows = [[size]
            + [runs.spread(runs.values(measured[what, size], "rate"), 0) for what in (SYNCED, UNSYNCED)]
            + [runs.spread(ratios[size], 2)]
            + [runs.spread(runs.values(measured[what, size], "cpu_micros")) for what in (SYNCED, UNSYNCED)]
            for size in SIZES]
    text = "\n\n".join([
        conditions(f"one build with and without fsync, lane paused, {CONNECTIONS} connections, {bench.rounds} rounds "
                   f"of {bench.seconds} s"),
        table(["events a request", "events/s with fsync", "without", "ratio", "CPU µs an event with", "without"], rows),
    ])
    return Outcome(text, {f"T3 {size}": ratios[size] for size in SIZES}, runs.faults(measured),
                   runs.raw({f"{what}, {size} a request": series for (what, size), series in measured.items()}))


def taken(bench, what, size):
    # Both are the same build, so that nothing but the fsync differs.
    with Tidegate(bench, binary=bench.unsynced_binary, environment=SKIP if what == UNSYNCED else None) as server:
        server.pause()
        return runs.measure(f"{what}, {size} a request", server,
                            lambda: load.wrk(server.url, bench.seconds, CONNECTIONS, size))
