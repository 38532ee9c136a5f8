"""A sender in this process, where wrk does not do: an exact number of events, or a fixed rate, in batches."""

import http.client
import secrets
import threading
import time

import events


class Sender:
    """Posts batches over a few connections until it has sent what it should, and remembers what was not taken."""

    def __init__(self, server, batch, connections):
        self.server, self.batch, self.connections = server, batch, connections
        self.taken = 0
        self.fault = ""
        # Status and headers of the first answer that was no success.
        self.turned_away = None
        self._lock = threading.Lock()
        self._batches = 0
        self._token = secrets.token_hex(4)
        self._pieces = [tail.encode() for tail in events.tails()]

    def fill(self, count=None):
        """Sends `count` events as fast as they are taken, or until one batch is not."""
        return self._run(lambda number: count is None or number * self.batch < count)

    def steady(self, rate, seconds):
        """Sends at a fixed rate: each batch has its moment, and one that comes late is not left out."""
        began = time.monotonic()

        def wait_for_turn(number):
            due = number * self.batch / rate
            if due >= seconds:
                return False
            time.sleep(max(0.0, began + due - time.monotonic()))
            return True
        return self._run(wait_for_turn)

    def _run(self, goes_on):
        """Each connection takes the next number of a batch, and sends it if it goes on; returns the seconds it took."""
        def connected(number_of_sender):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
                connection.connect()
                while not self.turned_away and not self.fault:
                    with self._lock:
                        number = self._batches
                        self._batches += 1
                    if not goes_on(number):
                        break
                    self._post(connection, self._body(number))
                connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.fault = f"sender {number_of_sender}: {error!r}"

        threads = [threading.Thread(target=connected, args=(number,)) for number in range(self.connections)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - began

    def _body(self, number):
        first = events.FIRST_NUMBER + number * self.batch
        opening = (events.OPEN + events.ID_FORMAT.format(token=self._token, sender=0, number="")).encode()
        return b"[" + b",".join(
            b"%b%d%b" % (opening, first + index, self._pieces[index % events.VARIANTS])
            for index in range(self.batch)) + b"]"

    def _post(self, connection, body):
        connection.request("POST", self.server.events_path, body)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == 200 and b'"committed":%d,' % self.batch in text:
            with self._lock:
                self.taken += self.batch
        elif answer.status != 200:
            self.turned_away = (answer.status, dict(answer.getheaders()))
        else:
            self.fault = f"not all of a batch was taken: {text[:200]!r}"
