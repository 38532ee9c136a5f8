"""Part `firehose`: deliveries of bid opportunities beside tools that only decompress, and beside Segment (T4, T6)."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import load
import runs
from deliveries import RECORDS, TOOLS, Deliveries, deliver, of_senders
from outcome import Outcome
from report import conditions, table
from tidegate import Tidegate

SENDERS = 4
BESIDE_CONNECTIONS = 8
# What a record may cost beyond the tool, before the factor of the target.
ALLOWANCE_MICROS = 8
TOOL = "the tool alone"
INTO_SPOOL, INTO_SQLITE = "into the spool", "into SQLite"
ALONE, BESIDE = "alone", "beside deliveries without pause"


def run(bench):
    files = Deliveries(os.path.join(bench.workspace, "deliveries"))
    single, single_faults = measure_singles(bench, files)
    paths = of_senders(bench.workspace, SENDERS)
    together, turned_away, together_faults = measure_together(bench, paths)
    beside, beside_faults = measure_beside(bench, paths)
    ratios = [taken / (tool + ALLOWANCE_MICROS)
              for taken, tool in zip(single["gzip"]["spool"], single["gzip"]["tool"])]

    rows = [[name] + [runs.spread(single[name][what], digits) for what, digits in
                      (("spool", 1), ("stored", 1), ("tool", 1), ("spool peak", 0), ("stored peak", 0))]
            for name in TOOLS]
    text = "\n\n".join([
        conditions(f"deliveries of {RECORDS:,} opportunities, {files.plain_bytes / 1e6:.0f} MB plain, "
                   f"{bench.rounds} rounds, Segment requests for {bench.seconds} s"),
        "*Spool* is the CPU until the answer, with the lane paused; *stored* is until the last record is in SQLite, "
        "the lane running.",
        table(["delivery", "CPU µs a record, spool", "stored", "the tool alone", "peak RSS MiB, spool", "stored"],
              rows),
        f"A gzipped record until the answer, against the tool and {ALLOWANCE_MICROS} µs: {runs.spread(ratios, 2)}.",
        table([f"{SENDERS} senders at once, gzip", "records/s", "deliveries turned away first"],
              [[name, runs.spread(numbers, 0), runs.spread(turned_away[name], 0)]
               for name, numbers in together.items()]),
        "Deliveries are taken as many at a time as there are cores; a sender that waited a second in vain is told "
        "503, and here comes again after a second.",
        table([f"Segment requests, {BESIDE_CONNECTIONS} connections", "requests/s", "p50 ms", "p99 ms"],
              [[name] + [runs.spread(runs.values(series, field), digits)
                         for field, digits in (("rate", 0), ("p50_ms", 2), ("p99_ms", 2))]
               for name, series in beside.items()]),
    ])
    measured = {"T4": ratios, "T6 firehose": single["plain"]["stored peak"]}
    return Outcome(text, measured, single_faults + together_faults + beside_faults,
                   {"single": single, "together": together, "beside": runs.raw(beside)})


def measure_singles(bench, files):
    """One delivery at a time: each encoding, each round, until the answer and until it is stored."""
    numbers = {name: {what: [] for what in ("spool", "spool peak", "stored", "stored peak", "tool")} for name in TOOLS}
    faults = []
    for number in range(bench.rounds):
        runs.say(f"single deliveries, round {number + 1} of {bench.rounds}")
        for name in TOOLS:
            for what in ("spool", "stored"):
                os.sync()
                with Tidegate(bench, firehose=True) as server:
                    if what == "spool":
                        server.pause()
                    run = runs.measure(f"{name}, {what}", server, lambda: delivered(server, [files.files[name]]),
                                       finish=server.wait_stored if what == "stored" else None)
                if run.fault:
                    faults.append(f"{name}, {what}: {run.fault}")
                else:
                    numbers[name][what].append(run.cpu_micros)
                    numbers[name][what + " peak"].append(run.peak_mib)
            numbers[name]["tool"].append(files.tool_cpu_micros(name))
    return numbers, faults


def measure_together(bench, paths):
    """Four senders at once; the rate counts until everything is where it is said to go."""
    rates, turned_away, faults = {INTO_SPOOL: [], INTO_SQLITE: []}, {INTO_SPOOL: [], INTO_SQLITE: []}, []
    for _ in range(bench.rounds):
        for what in rates:
            os.sync()
            with Tidegate(bench, firehose=True) as server:
                if what == INTO_SPOOL:
                    server.pause()
                began = time.monotonic()
                run = runs.measure(f"{SENDERS} senders {what}", server,
                                   lambda: delivered(server, paths, turned_away[what]),
                                   finish=server.wait_stored if what == INTO_SQLITE else None)
                seconds = time.monotonic() - began
            if run.fault:
                faults.append(f"{SENDERS} senders {what}: {run.fault}")
            else:
                rates[what].append(SENDERS * RECORDS / seconds)
    return rates, turned_away, faults


def measure_beside(bench, paths):
    """Latency of Segment requests alone, and while one sender pours deliveries, the lane to SQLite running."""
    troubles = []

    def beside():
        with Tidegate(bench, firehose=True) as server:
            stop = threading.Event()
            pouring = threading.Thread(target=pour, args=(server, paths, stop, troubles))
            pouring.start()
            try:
                return segment(bench, BESIDE, server)
            finally:
                stop.set()
                pouring.join()

    def alone():
        with Tidegate(bench, firehose=True) as server:
            return segment(bench, ALONE, server)

    measured = runs.interleave(bench.rounds, {ALONE: alone, BESIDE: beside})
    return measured, runs.faults(measured) + troubles


def segment(bench, what, server):
    return runs.measure(what, server, lambda: load.wrk(server.url, bench.seconds, BESIDE_CONNECTIONS))


def pour(server, paths, stop, troubles):
    """Delivers without pause. That auctions come again after some rounds changes nothing until they are stored."""
    sent = 0
    while not stop.is_set():
        delivery = deliver(server, paths[sent % len(paths)])
        if delivery.fault:
            troubles.append(f"{BESIDE}: a delivery was {delivery.fault}")
            return
        sent += 1


def delivered(server, paths, turned_away=None):
    """Posts deliveries at once. A sender that is turned away comes again, which `turned_away` counts."""
    began = time.monotonic()
    with ThreadPoolExecutor(len(paths)) as senders:
        results = list(senders.map(lambda path: deliver(server, path), paths))
    seconds = time.monotonic() - began
    if turned_away is not None:
        turned_away.append(sum(result.turned_away for result in results))
    slowest_ms = max(result.seconds for result in results) * 1e3
    fault = "; ".join(result.fault for result in results if result.fault)
    return load.Load(len(paths) * RECORDS, seconds, slowest_ms, slowest_ms, fault)
