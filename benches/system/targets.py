"""The targets T1 to T9 as data, and the verdict on each. Parts measure values under these keys, one for each round."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """`at_most` says on which side of the bound is good. A stretch that is not reached fails nothing."""

    key: str
    number: str
    what: str
    bound: float
    at_most: bool
    unit: str = ""
    stretch: bool = False
    digits: int = 2


def _at_most(key, number, what, bound, unit="", **more):
    return Target(key, number, what, bound, True, unit, **more)


def _at_least(key, number, what, bound, unit="×", **more):
    return Target(key, number, what, bound, False, unit, **more)


TARGETS = (
    _at_most("T1 cpu 64", "T1", "CPU an event, 1 a request, 64 connections", 45, "µs", digits=1),
    _at_most("T1 cpu 256", "T1", "CPU an event, 1 a request, 256 connections", 45, "µs", digits=1),
    _at_most("T1 cpu 64", "T1", "the same, 64 connections", 35, "µs", stretch=True, digits=1),
    _at_most("T1 cpu 256", "T1", "the same, 256 connections", 35, "µs", stretch=True, digits=1),
    _at_least("T1 rate 64", "T1", "rate against Redis, 64 connections", 0.5),
    _at_least("T1 rate 256", "T1", "rate against Redis, 256 connections", 0.5),
    _at_least("T1 rate 64", "T1", "the same, 64 connections", 0.75, stretch=True),
    _at_least("T1 rate 256", "T1", "the same, 256 connections", 0.75, stretch=True),
    _at_most("T2 cpu", "T2", "CPU an event, 100 a request, 64 connections", 8, "µs", digits=1),
    _at_least("T2 rate", "T2", "rate against Redis pipelined by 100", 1.0),
    _at_least("T2 rate", "T2", "the same", 1.5, stretch=True),
    _at_most("T2b 1", "T2b", "CPU an event that the lane to SQLite adds, 1 a request", 20, "µs", digits=1),
    _at_most("T2b 100", "T2b", "CPU an event that the lane to SQLite adds, 100 a request", 20, "µs", digits=1),
    _at_least("T3 1", "T3", "rate with fsync against without, 1 a request", 0.7),
    _at_least("T3 100", "T3", "rate with fsync against without, 100 a request", 0.7),
    _at_most("T4", "T4", "CPU of a gzipped firehose record against `gzip -dc \\| wc -l` + 8 µs", 1.5, "×"),
    _at_most("T5 drain", "T5", "time until nothing lags, after 20,000 events/s", 2, "s"),
    _at_most("T5 missing", "T5", "events of those that were not stored", 0, "events", digits=0),
    _at_most("T6 load 1", "T6", "peak RSS, 64 connections, 1 a request, stored in SQLite", 80, "MiB", digits=0),
    _at_most("T6 load 100", "T6", "peak RSS, 64 connections, 100 a request, stored in SQLite", 80, "MiB", digits=0),
    _at_most("T6 outage", "T6", "peak RSS with the sink down", 120, "MiB", digits=0),
    _at_most("T6 firehose", "T6", "peak RSS during a delivery of 60 MB", 120, "MiB", digits=0),
    _at_most("T7", "T7", "p99 with the sink down against up", 1.3, "×"),
    _at_most("T8 empty", "T8", "start to ready, empty spool", 0.3, "s", digits=3),
    _at_most("T8 full", "T8", "start to ready, spool of 1 GiB", 2, "s"),
    _at_most("T9 batches", "T9", "CPU an event at ten times as many a request, the worst of three steps", 1.0, "×"),
    _at_least("T9 sqlite", "T9", "ingest rate at 10⁶ stored events against 10⁵, SQLite", 0.8),
    _at_least("T9 postgres", "T9", "ingest rate at 10⁶ stored events against 10⁵, PostgreSQL", 0.8),
    _at_least("T9 sqlite long", "T9", "ingest rate at 10⁷ stored events against 10⁵, SQLite", 0.8),
    _at_least("T9 postgres long", "T9", "ingest rate at 10⁷ stored events against 10⁵, PostgreSQL", 0.8),
)


@dataclass(frozen=True)
class Verdict:
    """A target with what was measured. `noise` is half of the range of the rounds."""

    target: Target
    numbers: tuple
    word: str
    noise: float

    @property
    def fails(self):
        return self.word == "missed"


def judge(measured):
    """A verdict on each target of which there are values."""
    return [_judge(target, measured[target.key]) for target in TARGETS if measured.get(target.key)]


def _judge(target, numbers):
    middle = statistics.median(numbers)
    noise = (max(numbers) - min(numbers)) / 2
    worse_by = middle - target.bound if target.at_most else target.bound - middle
    if worse_by <= 0:
        word = "reached"
    elif target.stretch:
        word = "not reached"
    elif worse_by <= noise:
        word = "within noise"
    else:
        word = "missed"
    return Verdict(target, tuple(numbers), word, noise)
