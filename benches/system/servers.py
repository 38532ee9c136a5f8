"""Servers that we start: each in a directory of its own, on free ports, and surely stopped. nginx and Redis."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import machine

PATIENCE_SECONDS = 60


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(condition, what, seconds=PATIENCE_SECONDS, pause=0.05):
    """Waits for something that will come; it is an error if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        time.sleep(pause)


class Server:
    """A process and its directory; `with` starts it, and leaves neither behind."""

    name = "server"
    stop_signal = signal.SIGKILL

    def __init__(self, workspace):
        self.directory = tempfile.mkdtemp(prefix=self.name + "-", dir=workspace)
        self.port = free_port()
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self):
        return self.process.pid

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def spawn(self, argv, environment=None, **identity):
        """Starts the process, as another user if `identity` says so; what it prints goes to its log."""
        # A session of its own: Ctrl-C reaches us alone, and we stop what we started.
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                                            env={**os.environ, **(environment or {})}, start_new_session=True,
                                            **identity)

    def wait_ready(self, ready, pause=0.02):
        """Waits for readiness; a process that ended instead shows its log."""
        def ready_or_ended():
            if self.process.poll() is not None:
                with open(self.path("log"), errors="replace") as log:
                    raise RuntimeError(f"{self.name} ended:\n{log.read()[-4000:]}")
            return ready()
        wait_until(ready_or_ended, f"{self.name} to be ready", pause=pause)

    def listens(self):
        """Whether somebody accepts connections on our port."""
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        """Stops the process and its children, by force if need be."""
        if self.process is None:
            return
        members = machine.family(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                for member in members:
                    _kill(member)
                self.process.wait()
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Nginx(Server):
    """The ceiling of HTTP: reads each body and writes it to the access log, buffered. Nothing is kept for sure."""

    name = "nginx"
    # Fast shutdown: workers end with their master.
    stop_signal = signal.SIGTERM

    def start(self):
        user = "user root;" if os.geteuid() == 0 else ""
        scratch = "".join(f"{kind}_temp_path {self.directory};\n" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.write("nginx.conf", f"""
            load_module /usr/lib/nginx/modules/ndk_http_module.so;
            load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
            {user} daemon off; pid {self.path("pid")}; error_log stderr error;
            worker_processes 2; worker_rlimit_nofile 4096;
            events {{ worker_connections 2048; }}
            http {{
              {scratch}
              log_format body escape=none $request_body;
              access_log {self.path("access.log")} body buffer=256k flush=1s;
              client_body_buffer_size 2m; client_max_body_size 2m; keepalive_requests 1000000000;
              server {{
                listen 127.0.0.1:{self.port};
                location / {{ content_by_lua_block {{ ngx.req.read_body() ngx.print('{{"committed":false}}') }} }}
              }}
            }}""")
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        self.spawn([binary, "-p", self.directory, "-c", self.path("nginx.conf"), "-e", "stderr"])
        self.wait_ready(self.listens)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"


class Redis(Server):
    """The durable bar: answers after its log is fsynced, once for all that came in meanwhile. It rewrites nothing."""

    name = "redis"

    def start(self):
        self.write("redis.conf", f"""
port {self.port}
bind 127.0.0.1
dir {self.directory}
appendonly yes
appendfsync always
auto-aof-rewrite-percentage 0
save ""
maxclients 2048
""")
        self.spawn(["redis-server", self.path("redis.conf")])
        self.wait_ready(self.listens)
