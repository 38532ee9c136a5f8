"""Part `start`: from exec to ready, with nothing in the spool and with a gibibyte (T8)."""

import os

import machine
import runs
from outcome import Outcome
from report import conditions, table
from sender import Sender
from tidegate import NOBODY, Tidegate

BATCH, CONNECTIONS = 1000, 4


def run(bench):
    empty, full = [], []
    for _ in range(bench.rounds):
        # The first start of all, which also makes secrets and tables.
        with Tidegate(bench) as server:
            empty.append(server.ready_after)
            runs.say(f"  ready after {empty[-1]:.3f} s with nothing")
    with Tidegate(bench, storage=NOBODY) as server:
        while server.metric("tidegate_spool_bytes") < machine.GIB:
            sender = Sender(server, BATCH, CONNECTIONS)
            sender.fill(50_000)
            if sender.fault or sender.turned_away:
                raise RuntimeError(f"the spool could not be filled: {sender.fault or sender.turned_away}")
        spooled = server.metric("tidegate_spool_bytes")
        for _ in range(bench.rounds):
            server.stop()
            forget(server.path("data/spool"))
            server.start()
            full.append(server.ready_after)
            runs.say(f"  ready after {full[-1]:.3f} s with {spooled / machine.GIB:.2f} GiB")
    text = "\n\n".join([
        conditions(f"{bench.rounds} rounds"),
        "The spool's files are dropped from the page cache before each start, as after a reboot.",
        table(["from exec to ready, s", ""], [
            ["empty data directory", runs.spread(empty, 3)],
            [f"spool of {spooled / machine.GIB:.2f} GiB after `kill -9`, database down", runs.spread(full, 3)],
        ]),
    ])
    return Outcome(text, {"T8 empty": empty, "T8 full": full}, [], {"empty": empty, "full": full})


def forget(directory):
    """Has the kernel drop what it holds of the files in memory, once it is on disk."""
    for name in os.listdir(directory):
        file = os.open(os.path.join(directory, name), os.O_RDONLY)
        try:
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
