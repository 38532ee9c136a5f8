"""Part `keepup`: 20,000 events a second in batches of 100, into SQLite, for a minute: does the lane keep up (T5)?"""

import threading
import time

import machine
from outcome import Outcome
from report import conditions, table
from runs import say
from sender import Sender
from tidegate import Tidegate

RATE, BATCH, CONNECTIONS = 20_000, 100, 4
# A minute with the default of five seconds.
FACTOR = 12


def run(bench):
    seconds = bench.seconds * FACTOR
    with Tidegate(bench) as server:
        sender = Sender(server, BATCH, CONNECTIONS)
        lags, stop = [], threading.Event()
        watch = threading.Thread(target=sample, args=(server, lags, stop))
        machine.reset_peak(server.pid)
        before = machine.cpu_seconds(server.pid)
        watch.start()
        try:
            took = sender.steady(RATE, seconds)
        finally:
            stop.set()
            watch.join()
        ended = time.monotonic()
        at_end = server.lag()
        server.wait_stored(pause=0.02)
        drained = time.monotonic() - ended
        spent = machine.cpu_seconds(server.pid) - before
        stored = server.rows()
        peak = machine.peak_mib(server.pid)

    faults = [sender.fault] if sender.fault else []
    if sender.turned_away:
        faults.append(f"a batch was answered {sender.turned_away[0]}")
    rate = sender.taken / took
    if rate < RATE * 0.99:
        faults.append(f"only {rate:,.0f} events/s were sent")
    say(f"  sent {sender.taken:,} at {rate:,.0f}/s, stored {stored:,}, lag at most {max(lags, default=0):,}")
    text = "\n\n".join([
        conditions(f"{RATE:,} events/s of 1 KiB in batches of {BATCH} for {seconds} s, SQLite, 1 round"),
        table(["", ""], [
            ["events sent", f"{sender.taken:,}"],
            ["events stored", f"{stored:,}"],
            ["events/s sent", f"{rate:,.0f}"],
            ["lag, at most, looking each second", f"{max(lags, default=0):,} events"],
            ["lag when the load ended", f"{at_end:,} events"],
            ["time until nothing lagged", f"{drained:.2f} s"],
            ["CPU an event", f"{spent / max(1, sender.taken) * 1e6:.1f} µs"],
            ["peak RSS", f"{peak:.0f} MiB"],
        ]),
    ])
    measured = {"T5 drain": [drained], "T5 missing": [abs(sender.taken - stored)]}
    return Outcome(text, measured, faults, {"lags": lags, "sent": sender.taken, "stored": stored, "drained": drained})


def sample(server, lags, stop):
    while not stop.wait(1):
        lags.append(server.lag())
