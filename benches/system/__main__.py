"""The system benchmark: which parts run, what they say, and the exit code.

`scripts/bench` installs, builds and calls this.
"""

import argparse
import importlib
import os
import resource
import shutil
import signal
import sys
import tempfile

import report
import targets
from runs import say

PARTS = ("events", "durability", "firehose", "outage", "keepup", "start", "growth", "backlog")


class Bench:
    """What all parts need to know, and the directory in which they work."""

    def __init__(self, arguments):
        self.rounds, self.seconds, self.long = arguments.rounds, arguments.seconds, arguments.long
        self.backlog_gib, self.asked = arguments.gib, arguments.parts
        self.binary, self.unsynced_binary = arguments.binary, arguments.unsynced_binary
        self.results = os.path.abspath("target/bench")
        os.makedirs(self.results, exist_ok=True)
        # Not /tmp unless TMPDIR says so: it may be memory, where an fsync costs nothing.
        self.workspace = tempfile.mkdtemp(prefix="work-", dir=os.environ.get("TMPDIR") or self.results)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--gib", type=int, default=10)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--unsynced-binary", default="")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    return parser.parse_args()


def main():
    asked = arguments()
    # Stopping us stops what we started, however we are asked to.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    bench = Bench(asked)
    try:
        sys.exit(run(bench, asked.parts or PARTS, not asked.no_write))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        shutil.rmtree(bench.workspace, ignore_errors=True)


def run(bench, names, write):
    measured, faults = {}, []
    for name in names:
        say(f"part {name}")
        outcome = importlib.import_module(f"parts.{name}").run(bench)
        text = outcome.text
        if outcome.faults:
            text += "\n\n**Invalid runs, left out above:** " + "; ".join(outcome.faults) + "."
        print(f"\n## {name}\n\n{text}\n", flush=True)
        # The table of targets is made of what stands in the document; another build's results are none of them.
        kept_as = name if write else f"{name}-unwritten"
        report.write_json(bench.results, kept_as, {"runs": outcome.raw, "measured": outcome.measured})
        if write:
            report.write_section(name, text)
        measured.update(outcome.measured)
        faults += outcome.faults

    judged = targets.judge(measured)
    if judged:
        print(f"\n## targets\n\n{report.verdicts(judged)}\n")
    if write:
        write_targets(bench)
    for fault in faults:
        say(f"bench: INVALID RUN: {fault}")
    missed = [verdict for verdict in judged if verdict.fails]
    for verdict in missed:
        say(f"bench: MISSED {verdict.target.number}: {verdict.target.what}")
    return 1 if missed or faults else 0


def write_targets(bench):
    """The verdicts on the latest run of every part, once each has been run."""
    latest = [report.read_json(bench.results, name) for name in PARTS]
    if all(latest):
        measured = {key: numbers for part in latest for key, numbers in part["measured"].items()}
        report.write_section("targets", report.verdicts(targets.judge(measured)))


if __name__ == "__main__":
    main()
