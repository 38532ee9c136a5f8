"""Deliveries of a firehose: 30,000 bid opportunities of about 2 KB, compressed in each way, and what undoes it."""

import gzip
import json
import os
import re
import resource
import subprocess
import time
from dataclasses import dataclass

RECORDS = 30_000
FIXTURE = "tests/fixtures/bof/opportunities.jsonl.gz"
MEMBERS = 100
# As the server's `Retry-After` has it.
RETRY_SECONDS = 1
ATTEMPTS = 60
# What the tool alone costs: the same bytes, decompressed and counted.
TOOLS = {
    "plain": "cat {} | wc -l",
    "gzip": "gzip -dc <{} | wc -l",
    "gzip, 100 members": "gzip -dc <{} | wc -l",
    "lzop": "lzop -dc <{} | wc -l",
    "zstd": "zstd -qdc <{} | wc -l",
}


class Deliveries:
    """Files of deliveries in a directory, by the name of their encoding."""

    def __init__(self, directory):
        os.makedirs(directory)
        self.files = {name: os.path.join(directory, name.replace(", ", "-").replace(" ", "-")) for name in TOOLS}
        plain = _plain("a")
        _write(self.files["plain"], plain)
        self.plain_bytes = len(plain)
        lines = plain.splitlines(keepends=True)
        step = len(lines) // MEMBERS
        _write(self.files["gzip, 100 members"],
               b"".join(gzip.compress(b"".join(lines[at:at + step]), 6) for at in range(0, len(lines), step)))
        for name, command in (("gzip", "gzip -c"), ("lzop", "lzop -qc"), ("zstd", "zstd -qc")):
            subprocess.run(f"{command} <{self.files['plain']} >{self.files[name]}", shell=True, check=True)

    def tool_cpu_micros(self, name):
        """CPU of the tool for each record."""
        before = _children_seconds()
        subprocess.run(TOOLS[name].format(self.files[name]), shell=True, check=True, stdout=subprocess.DEVNULL)
        return (_children_seconds() - before) / RECORDS * 1e6


def of_senders(directory, count):
    """Gzipped deliveries of several senders, whose auctions are their own."""
    paths = []
    for sender in range(count):
        paths.append(os.path.join(directory, f"sender-{sender}"))
        _write(paths[-1], gzip.compress(_plain(f"s{sender}"), 1))
    return paths


@dataclass
class Delivered:
    """How a delivery went: until it was taken, and how often it was turned away before."""

    seconds: float
    turned_away: int
    fault: str


def deliver(server, path):
    """Posts a file until it is taken: with all permits for deliveries given out, the server says to come again."""
    # curl waits for "100 Continue" before a large body, so that an early answer is read rather than lost.
    command = ["curl", "-s", "-w", "\n%{http_code}", "--max-time", "120", "--data-binary", f"@{path}",
               f"http://127.0.0.1:{server.port}{server.firehose_path}"]
    began = time.monotonic()
    for turned_away in range(ATTEMPTS):
        text, _, status = subprocess.run(command, capture_output=True, text=True).stdout.rpartition("\n")
        if status != "503":
            break
        time.sleep(RETRY_SECONDS)
    # Sent again, all of it is known already, and durable all the same.
    counts = json.loads(text) if status == "200" else {}
    whole = counts.get("committed", 0) + counts.get("duplicates", 0) == RECORDS
    return Delivered(time.monotonic() - began, turned_away, "" if whole else f"answered {status} {text[:200]}")


def _plain(token):
    """The committed opportunities over and over, each with an auction id of its own."""
    with gzip.open(FIXTURE) as file:
        lines = file.read().splitlines(keepends=True)
    identity = re.compile(rb'"AuctionId":[0-9]+')
    return b"".join(identity.sub(b'"AuctionId":"%s-%d"' % (token.encode(), number), lines[number % len(lines)], count=1)
                    for number in range(RECORDS))


def _children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _write(path, data):
    with open(path, "wb") as file:
        file.write(data)
