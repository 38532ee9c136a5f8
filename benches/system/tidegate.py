"""The server that is measured: the real binary with all checks and metrics on, with settings for a benchmark."""

import contextlib
import http.client
import json
import os
import secrets
import sqlite3
import time

from servers import Server, free_port, wait_until

# Nobody listens on port 1: a database that is down.
NOBODY = "postgres://nobody@127.0.0.1:1/nothing"
LAG = 'tidegate_lane_lag_events{sink="storage"}'


class Tidegate(Server):
    """`storage` is the address of the database, by default SQLite in the data directory."""

    name = "tidegate"

    def __init__(self, bench, binary=None, storage=None, sources=1, firehose=False, spool_gib=None, environment=None):
        super().__init__(bench.workspace)
        self.binary = os.path.abspath(binary or bench.binary)
        self.operate_port = free_port()
        self.key = secrets.token_hex(16)
        self.environment = environment
        self.sources, self.firehose, self.spool_gib = sources, firehose, spool_gib
        self.use_storage(storage)

    def use_storage(self, storage):
        """Writes the settings; they hold from the next start."""
        self.storage = storage or "sqlite://" + self.path("events.db")
        text = f"""data_dir = "{self.path('data')}"
[collect]
listen = "127.0.0.1:{self.port}"
[operate]
listen = "127.0.0.1:{self.operate_port}"
[storage]
url = "{self.storage}"
"""
        if self.spool_gib:
            text += f'[spool]\nmax_bytes = "{self.spool_gib}GiB"\n'
        kinds = [(f"load-{number}", "segment") for number in range(self.sources)]
        if self.firehose:
            kinds.append(("firehose", "bof"))
        for name, kind in kinds:
            text += f'[[source]]\nname = "{name}"\nkind = "{kind}"\nsecrets = [{{ id = "k", value = "{self.key}" }}]\n'
            if kind == "bof":
                text += 'required = ["auction_id"]\n'
        self.write("tidegate.toml", text)

    def start(self):
        """Starts the server; `ready_after` says how many seconds that took."""
        began = time.monotonic()
        self.spawn([self.binary, "serve", "--config", self.path("tidegate.toml")], self.environment)
        self.wait_ready(self.is_ready, pause=0.002)
        self.ready_after = time.monotonic() - began

    # The address of events, and the path of each kind of delivery.

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{self.events_path}"

    @property
    def events_path(self):
        return f"/v1/segment/load-0?key={self.key}"

    @property
    def firehose_path(self):
        return f"/v1/bof/firehose?key={self.key}"

    # What an operator asks and tells.

    def is_ready(self):
        try:
            return self._operate("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def pause(self):
        with open(self.path("data/secrets/operator")) as file:
            token = file.read().strip()
        status, body = self._operate("POST", "/admin/v1/lanes/storage/pause", {"Authorization": f"Bearer {token}"})
        if status != 200 or json.loads(body).get("state") != "paused":
            raise RuntimeError(f"the lane was not paused: {status} {body}")

    def metric(self, name):
        """A metric's value; with a bare name, the sum over all labels."""
        status, text = self._operate("GET", "/metrics")
        if status != 200:
            raise RuntimeError(f"no metrics: {status}")
        total = 0.0
        for line in text.splitlines():
            series, _, value = line.rpartition(" ")
            if series == name or series.startswith(name + "{"):
                total += float(value)
        return total

    def lag(self):
        return int(self.metric(LAG))

    def wait_stored(self, seconds=1800, pause=0.1):
        """Waits until the lane has stored everything."""
        wait_until(lambda: self.lag() == 0, "the lane to catch up", seconds, pause)

    def rows(self):
        """The events in SQLite, counted there."""
        with contextlib.closing(sqlite3.connect(f"file:{self.path('events.db')}?mode=ro", uri=True)) as database:
            return database.execute("SELECT count(*) FROM events").fetchone()[0]

    def _operate(self, method, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.operate_port, timeout=30)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
