"""Part `backlog`: a spool that an outage filled to its quota, what senders are told then, and how it drains."""

import time

import machine
from outcome import Outcome
from report import conditions, table
from runs import say
from sender import Sender
from tidegate import NOBODY, Tidegate

BATCH, CONNECTIONS = 1000, 4
# The spool, the rows made of it while its files are still there, and a write-ahead log.
DISK_FACTOR = 3
EVENTS_A_SECOND_AT_LEAST = 2000


def run(bench):
    gib = bench.backlog_gib
    needed, free = gib * DISK_FACTOR * machine.GIB, machine.free_bytes(bench.workspace)
    say(f"  needs {needed / machine.GIB:.0f} GiB of disk in {bench.workspace}, {free / machine.GIB:.0f} GiB are free")
    if free < needed:
        return not_run(bench, needed, free)
    with Tidegate(bench, storage=NOBODY, spool_gib=gib) as server:
        filled = fill(server)
        server.stop()
        server.use_storage(None)
        drained = drain(server, filled["events"])

    faults = list(filled["faults"])
    if drained["rows"] != filled["events"]:
        faults.append(f"{filled['events']:,} events were acknowledged and {drained['rows']:,} stored")
    text = "\n\n".join([
        conditions(f"spool of {gib} GiB, events of 1 KiB in batches of {BATCH}, 1 round"),
        table(["", "filling, database down", "draining into SQLite after a restart"], [
            ["events", f"{filled['events']:,}", f"{drained['rows']:,}"],
            ["time, s", f"{filled['seconds']:,.0f}", f"{drained['seconds']:,.0f}"],
            ["events/s", f"{filled['events'] / filled['seconds']:,.0f}",
             f"{drained['rows'] / drained['seconds']:,.0f}"],
            ["CPU µs an event", f"{filled['cpu'] / filled['events'] * 1e6:.1f}",
             f"{drained['cpu'] / filled['events'] * 1e6:.1f}"],
            ["peak RSS MiB", f"{filled['peak']:.0f}", f"{drained['peak']:.0f}"],
            ["start to ready, s", "", f"{drained['ready_after']:.2f}"],
            ["spool, GiB", f"{filled['spool'] / machine.GIB:.2f}", f"{drained['spool'] / machine.GIB:.2f}"],
        ]),
        f"When the spool was full, a sender was answered {filled['answer']}.",
    ])
    return Outcome(text, {}, faults, {"filled": filled, "drained": drained})


def fill(server):
    """Sends until the spool is full."""
    sender = Sender(server, BATCH, CONNECTIONS)
    machine.reset_peak(server.pid)
    before = machine.cpu_seconds(server.pid)
    seconds = sender.fill()
    status, headers = sender.turned_away or (None, {})
    retry_after = headers.get("Retry-After") or headers.get("retry-after")
    faults = [sender.fault] if sender.fault else []
    if status != 503 or not retry_after:
        faults.append(f"a full spool was answered {status}, Retry-After {retry_after}")
    say(f"  full after {sender.taken:,} events and {seconds:.0f} s: {status}, Retry-After: {retry_after}")
    return {"events": sender.taken, "seconds": seconds, "cpu": machine.cpu_seconds(server.pid) - before,
            "peak": machine.peak_mib(server.pid), "spool": server.metric("tidegate_spool_bytes"),
            "answer": f"{status} with `Retry-After: {retry_after}`", "faults": faults}


def drain(server, events):
    """Starts the server again, the database being up, and waits until everything is stored."""
    began = time.monotonic()
    server.start()
    server.wait_stored(seconds=60 + events / EVENTS_A_SECOND_AT_LEAST, pause=0.2)
    seconds = time.monotonic() - began
    say(f"  drained in {seconds:.0f} s")
    return {"seconds": seconds, "cpu": machine.cpu_seconds(server.pid), "peak": machine.peak_mib(server.pid),
            "ready_after": server.ready_after, "rows": server.rows(),
            "spool": server.metric("tidegate_spool_bytes")}


def not_run(bench, needed, free):
    """Loud in any case; a failure if this part was asked for by name."""
    text = (f"NOT RUN: a spool of {bench.backlog_gib} GiB needs {needed / machine.GIB:.0f} GiB of disk, and "
            f"{free / machine.GIB:.0f} are free. `--gib` makes it smaller.")
    say(f"bench: backlog {text}")
    return Outcome(text, faults=[text] if "backlog" in bench.asked else [])
