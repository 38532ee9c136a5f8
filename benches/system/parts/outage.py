"""Part `outage`: latency and memory while the database is down, beside a server whose database is up (T6, T7)."""

import load
import runs
from outcome import Outcome
from report import conditions, table
from tidegate import NOBODY, Tidegate

CONNECTIONS = 64
UP, DOWN = "up: SQLite", "down: a PostgreSQL that nobody serves"


def run(bench):
    measured = runs.interleave(bench.rounds, {
        UP: lambda: loaded(bench, UP, None),
        DOWN: lambda: loaded(bench, DOWN, NOBODY),
    })
    ratios = runs.paired(measured[DOWN], measured[UP], runs.ratio, "p99_ms")
    rows = [[what] + [runs.spread(runs.values(series, field), digits) for field, digits in
                      (("rate", 0), ("p50_ms", 2), ("p99_ms", 2), ("peak_mib", 0))]
            for what, series in measured.items()]
    text = "\n\n".join([
        conditions(f"{CONNECTIONS} connections, 1 event a request, {bench.rounds} rounds of {bench.seconds} s"),
        table(["the database is", "events/s", "p50 ms", "p99 ms", "peak RSS MiB"], rows),
        f"p99 down against up: {runs.spread(ratios, 2)}.",
    ])
    return Outcome(text, {"T6 outage": runs.values(measured[DOWN], "peak_mib"), "T7": ratios},
                   runs.faults(measured), runs.raw(measured))


def loaded(bench, what, storage):
    with Tidegate(bench, storage=storage) as server:
        return runs.measure(what, server, lambda: load.wrk(server.url, bench.seconds, CONNECTIONS))
