"""Part `events`: durable events beside nginx, which keeps nothing for sure, and Redis, which fsyncs.

Targets T1, T2, T2b, of T6 the memory under load, of T9 the batches.
"""

import load
import runs
from outcome import Outcome
from report import conditions, table
from servers import Nginx, Redis
from tidegate import Tidegate

# Connections and events a request. Bodies of 1 MiB come over fewer connections: more of them than 64 MiB in flight are
# turned away, as the default of `collect.body_memory` wants it.
SHAPES = [(64, 1), (256, 1), (64, 10), (256, 10), (64, 100), (256, 100), (16, 1000)]
# Storing takes far longer than taking; two shapes say what it adds.
STORED_SHAPES = [(64, 1), (64, 100)]
NGINX, REDIS, TAKEN, STORED = ("nginx + lua, to its log", "Redis XADD, fsync always", "tidegate, lane paused",
                               "tidegate, stored in SQLite")


def run(bench):
    redis_counts = {}
    candidates = {}
    for shape in SHAPES:
        candidates[NGINX, shape] = lambda shape=shape: nginx(bench, shape)
        candidates[REDIS, shape] = lambda shape=shape: redis(bench, shape, redis_counts)
        candidates[TAKEN, shape] = lambda shape=shape: taken(bench, shape)
        if shape in STORED_SHAPES:
            candidates[STORED, shape] = lambda shape=shape: stored(bench, shape)
    # Redis is told a number of events instead of a time: a short run finds out how many make one.
    for shape in SHAPES:
        redis_counts[shape] = 20_000 * min(shape[1], 4)
        redis_counts[shape] = int(redis(bench, shape, redis_counts).rate * bench.seconds)
    measured = runs.interleave(bench.rounds, candidates)
    return outcome(bench, measured)


def label(what, shape):
    return f"{what}, {shape[0]} connections × {shape[1]}"


def nginx(bench, shape):
    with Nginx(bench.workspace) as server:
        return runs.measure(label(NGINX, shape), server, lambda: load.wrk(server.url, bench.seconds, *shape))


def redis(bench, shape, counts):
    with Redis(bench.workspace) as server:
        return runs.measure(label(REDIS, shape), server,
                            lambda: load.redis_benchmark(server.port, counts[shape], *shape))


def taken(bench, shape):
    with Tidegate(bench) as server:
        server.pause()
        return runs.measure(label(TAKEN, shape), server, lambda: load.wrk(server.url, bench.seconds, *shape))


def stored(bench, shape):
    with Tidegate(bench) as server:
        run = runs.measure(label(STORED, shape), server, lambda: load.wrk(server.url, bench.seconds, *shape),
                           finish=server.wait_stored)
        rows = server.metric("tidegate_lane_written_total")
        if rows < run.events:
            run.fault = f"{run.events} events were answered and {rows:.0f} stored"
        return run


def outcome(bench, measured):
    rows = []
    for shape in SHAPES:
        for what in (NGINX, REDIS, TAKEN, STORED):
            series = measured.get((what, shape))
            if series is None:
                continue
            numbers = [runs.spread(runs.values(series, field), digits) for field, digits in
                       (("rate", 0), ("cpu_micros", 1), ("p50_ms", 2), ("p99_ms", 2), ("peak_mib", 0))]
            rows.append([what, shape[1], shape[0]] + numbers)
    text = "\n\n".join([
        conditions(f"events of 1 KiB, {bench.rounds} rounds of {bench.seconds} s"),
        table(["what", "events a request", "connections", "events/s", "CPU µs an event", "p50 ms", "p99 ms",
               "peak RSS MiB"], rows),
    ])
    return Outcome(text, judged_values(measured), runs.faults(measured),
                   runs.raw({label(*key): series for key, series in measured.items()}))


def judged_values(measured):
    at = {}
    for connections in (64, 256):
        shape = (connections, 1)
        at[f"T1 cpu {connections}"] = runs.values(measured[TAKEN, shape], "cpu_micros")
        at[f"T1 rate {connections}"] = runs.paired(measured[TAKEN, shape], measured[REDIS, shape], runs.ratio, "rate")
    at["T2 cpu"] = runs.values(measured[TAKEN, (64, 100)], "cpu_micros")
    at["T2 rate"] = runs.paired(measured[TAKEN, (64, 100)], measured[REDIS, (64, 100)], runs.ratio, "rate")
    for shape in STORED_SHAPES:
        at[f"T2b {shape[1]}"] = runs.paired(measured[STORED, shape], measured[TAKEN, shape], runs.difference,
                                            "cpu_micros")
        at[f"T6 load {shape[1]}"] = runs.values(measured[STORED, shape], "peak_mib")
    at["T9 batches"] = worst_steps([measured[TAKEN, shape] for shape in ((64, 1), (64, 10), (64, 100), (16, 1000))])
    return at


def worst_steps(series_by_size):
    """For each round, the largest ratio of CPU per event between a size and the next smaller: 1 or more is no fall."""
    steps = [[runs.ratio(larger.cpu_micros, smaller.cpu_micros)
              for smaller, larger in zip(round_runs, round_runs[1:])]
             for round_runs in zip(*series_by_size) if not any(run.fault for run in round_runs)]
    return [max(step) for step in steps]
