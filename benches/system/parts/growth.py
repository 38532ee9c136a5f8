"""Part `growth`: how cost grows with connections, size of events, number of sources, and rows in the table (T9).

How it grows with events a request is in part `events`.
"""

import os
import time
from contextlib import ExitStack

import load
import machine
import runs
from outcome import Outcome
from postgres import Postgres
from report import conditions, table
from sender import Sender
from tidegate import Tidegate

CONNECTIONS = 64
# Each dimension: what its points are called, the points, and what wrk and the server are told at a point.
DIMENSIONS = (
    ("connections", (1, 16, 64, 256, 1000), lambda point: ({"connections": point}, {})),
    ("KiB an event", (1, 4, 16, 64), lambda point: ({"kib": point}, {})),
    ("sources", (1, 10, 100, 1000), lambda point: ({"sources": point}, {"sources": point})),
)
MARKS = (100_000, 1_000_000)
LONG_MARK = 10_000_000
LONG_GIB = 60
# Filling is done in portions, each stored before the next, so that the spool stays small.
PORTION = 500_000
STRETCH_SECONDS = 2
SINKS = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


def run(bench):
    tables, faults, raw, measured = [], [], {}, {}
    for name, points, settings in DIMENSIONS:
        runs.say(f"by {name}")
        series = runs.interleave(bench.rounds, {
            point: lambda name=name, point=point, settings=settings: loaded(bench, f"{point} {name}", *settings(point))
            for point in points})
        tables.append(dimension_table(name, series))
        faults += runs.faults(series)
        raw[name] = runs.raw(series)

    marks = MARKS + ((LONG_MARK,) if bench.long else ())
    if bench.long and machine.free_bytes(bench.workspace) < LONG_GIB * machine.GIB:
        faults.append(f"10⁷ rows take {LONG_GIB} GiB of disk, and there is less")
        marks = MARKS
    for sink, title in SINKS.items():
        stretches, rows = by_rows(bench, sink, title, marks)
        tables.append(rows_table(title, stretches, rows))
        faults += runs.faults(stretches)
        raw[title] = {**runs.raw(stretches), "more": rows}
        for mark, key in zip(marks[1:], (f"T9 {sink}", f"T9 {sink} long")):
            measured[key] = runs.paired(stretches[mark], stretches[marks[0]], runs.ratio, "rate")

    text = "\n\n".join([
        conditions(f"{bench.rounds} rounds of {bench.seconds} s; unless said otherwise {CONNECTIONS} connections, one "
                   "event of 1 KiB a request, lane paused"),
        *tables,
        f"Rows were taken in as events before; then {bench.rounds} stretches of {stretch_seconds(bench)} s from each "
        "mark on, with the lane running. *Stored/s* is until the last of a stretch is in the table.",
    ])
    return Outcome(text, measured, faults, raw)


def loaded(bench, what, of_wrk, of_server):
    with Tidegate(bench, **of_server) as server:
        server.pause()
        return runs.measure(what, server,
                            lambda: load.wrk(server.url, bench.seconds, **{"connections": CONNECTIONS, **of_wrk}))


def dimension_table(name, series):
    rows = []
    for point, measured in series.items():
        numbers = [runs.spread(runs.values(measured, field), digits) for field, digits in
                   (("rate", 0), ("cpu_micros", 1), ("p50_ms", 2), ("p99_ms", 2), ("peak_mib", 0))]
        rows.append([point] + numbers)
    return table([name, "events/s", "CPU µs an event", "p50 ms", "p99 ms", "peak RSS MiB"], rows)


def by_rows(bench, sink, title, marks):
    """Runs from each mark on, and beside them the rate of storing and the CPU of PostgreSQL for each row."""
    stretches = {mark: [] for mark in marks}
    more = {mark: {"stored_rate": [], "database_micros": []} for mark in marks}
    with ExitStack() as stack:
        database = stack.enter_context(Postgres()) if sink == "postgres" else None
        server = stack.enter_context(Tidegate(bench, storage=database and database.url))
        rows = 0
        for mark in marks:
            runs.say(f"{title}: filling up to {mark:,} rows")
            while rows < mark:
                rows += fill(server, min(PORTION, mark - rows))
            for _ in range(bench.rounds):
                os.sync()
                run = stretch(bench, f"{title} from {mark:,} rows on", server, database, more[mark])
                stretches[mark].append(run)
                rows += run.events
    return stretches, more


def fill(server, count):
    sender = Sender(server, batch=1000, connections=4)
    sender.fill(count)
    if sender.fault or sender.turned_away:
        raise RuntimeError(f"filling failed: {sender.fault or sender.turned_away}")
    server.wait_stored()
    return sender.taken


def stretch(bench, what, server, database, more):
    database_before = machine.cpu_seconds(database.pid) if database else 0
    began = time.monotonic()
    run = runs.measure(what, server, lambda: load.wrk(server.url, stretch_seconds(bench), CONNECTIONS),
                       finish=lambda: server.wait_stored(pause=0.05))
    more["stored_rate"].append(run.events / (time.monotonic() - began))
    if database:
        more["database_micros"].append((machine.cpu_seconds(database.pid) - database_before) / run.events * 1e6)
    return run


def stretch_seconds(bench):
    return min(bench.seconds, STRETCH_SECONDS)


def rows_table(title, stretches, more):
    head = [f"rows in {title}", "taken/s", "stored/s", "CPU µs an event", "p99 ms", "peak RSS MiB"]
    if title == SINKS["postgres"]:
        head.append("of PostgreSQL itself, CPU µs a row")
    rows = []
    for mark, series in stretches.items():
        row = [f"{mark:,}", runs.spread(runs.values(series, "rate"), 0), runs.spread(more[mark]["stored_rate"], 0),
               runs.spread(runs.values(series, "cpu_micros")), runs.spread(runs.values(series, "p99_ms"), 2),
               runs.spread(runs.values(series, "peak_mib"), 0)]
        if title == SINKS["postgres"]:
            row.append(runs.spread(more[mark]["database_micros"]))
        rows.append(row)
    return table(head, rows)
