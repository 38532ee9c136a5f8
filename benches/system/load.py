"""Load generators that are programs of their own: wrk and redis-benchmark."""

import json
import os
import secrets
import subprocess
import tempfile
from dataclasses import dataclass

import events

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "events.lua")


@dataclass
class Load:
    """What a load generator saw. A fault makes the run worthless, and is said loudly."""

    events: int
    seconds: float
    p50_ms: float
    p99_ms: float
    fault: str = ""

    @property
    def rate(self):
        return self.events / self.seconds


def wrk(url, seconds, connections, per_request=1, kib=1, sources=1):
    """Posts events from two threads, as fast as they are taken. With several sources the path names the first."""
    with tempfile.NamedTemporaryFile("w", prefix="tidegate-bench-") as tails:
        tails.write("\n".join(events.tails(kib)) + "\n")
        tails.flush()
        # One thread cannot have less than one connection.
        threads = min(2, connections)
        told = subprocess.run(
            ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", SCRIPT, url, "--"]
            + [tails.name, str(per_request), secrets.token_hex(4), str(sources)],
            capture_output=True, text=True)
    lines = [line for line in told.stdout.splitlines() if line.startswith("result ")]
    if told.returncode != 0 or not lines:
        raise RuntimeError(f"wrk failed: {told.stdout}{told.stderr}")
    result = json.loads(lines[0][len("result "):])
    counts = {name: result[name] for name in ("bad_answers", "socket_errors", "timeouts")}
    fault = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    if not fault and result["requests"] == 0:
        fault = "no request was answered"
    return Load(max(1, result["requests"]) * per_request, result["micros"] / 1e6,
                result["p50"] / 1e3, result["p99"] / 1e3, fault)


def redis_benchmark(port, count, connections, pipeline):
    """XADDs of one event each, `pipeline` of them at once on each connection.

    One thread of the client is enough, and shows Redis at its best: with two, the rate is lower by up to a third.
    """
    told = subprocess.run(
        ["redis-benchmark", "-p", str(port), "-c", str(connections), "-P", str(pipeline), "-n", str(count),
         "--csv", "--precision", "3", "XADD", "events", "*", "event", events.whole()],
        capture_output=True, text=True)
    # "the command",rps,average,min,p50,p95,p99,max: the command holds commas itself.
    fields = [field.strip('"\n') for field in told.stdout.rsplit(",", 7)]
    if told.returncode != 0 or len(fields) != 8 or "rror" in told.stderr:
        raise RuntimeError(f"redis-benchmark failed: {told.stdout}{told.stderr}")
    rate = float(fields[1])
    return Load(count, count / rate, float(fields[4]), float(fields[6]))
