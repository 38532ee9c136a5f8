"""A PostgreSQL server of our own, with its defaults: it fsyncs."""

import glob
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess

from servers import Server


class Postgres(Server):
    """Its process is the postmaster: CPU of the family counts backends that have ended too."""

    name = "postgres"
    # Immediate shutdown: nothing is to be kept.
    stop_signal = signal.SIGQUIT

    def __init__(self):
        # The user postgres cannot enter the directory of the others.
        super().__init__(os.environ.get("TMPDIR") or "/var/tmp")
        self.password = secrets.token_hex(16)

    def start(self):
        # PostgreSQL refuses to run as root.
        identity = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.write("password", self.password + "\n")
        os.chmod(self.path("password"), 0o644)
        made = subprocess.run(
            [_binary("initdb"), "-D", self.path("data"), "-U", "postgres", "--auth=scram-sha-256", "--encoding=UTF8",
             "--locale=C.UTF-8", f"--pwfile={self.path('password')}"],
            capture_output=True, text=True, cwd=self.directory, **identity)
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed: {made.stdout}{made.stderr}")
        self.spawn([_binary("postgres"), "-D", self.path("data"), "-c", f"port={self.port}", "-c",
                    "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.directory}"], **identity)
        self.wait_ready(self._accepts)

    @property
    def url(self):
        return f"postgres://postgres:{self.password}@127.0.0.1:{self.port}/postgres"

    def _accepts(self):
        with open(self.path("log")) as log:
            return "ready to accept connections" in log.read()


def _binary(name):
    """A program of the newest server that is installed; Debian keeps them off the path."""
    def version(path):
        return [int(number) for number in re.findall(r"\d+", path)]
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=version)
    binary = found[-1] if found else shutil.which(name)
    if not binary:
        raise RuntimeError(f"PostgreSQL's {name} is not installed")
    return binary
