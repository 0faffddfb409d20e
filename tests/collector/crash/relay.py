"""The network between a collector and its ClickHouse: it can be cut, and it can lose answers."""

import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager


class Relay:
    """Passes connections to a port of this machine on to another one."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._to_lose = 0
        self._to_hold = 0
        self.lost = 0
        """Answers to inserts that were thrown away."""
        self.held = 0
        """Answers to inserts that were never passed on, on connections that stay open."""
        self.port = 0

    def open(self) -> None:
        """Take connections, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._run(self._accept, self._listener)

    def cut(self) -> None:
        """Take none any more, and break those that are."""
        if self._listener is not None:
            # Closing alone does not wake the thread that waits for a connection.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        with self._lock:
            for each in self._sockets:
                _break(each)

    def lose_answers(self, count: int) -> None:
        """Break the connection in place of the next answers to inserts, which were stored."""
        with self._lock:
            self._to_lose = count

    def hold_answers(self, count: int) -> None:
        """Say nothing in place of the next answers to inserts, which were stored."""
        with self._lock:
            self._to_hold = count

    def end(self) -> None:
        """Cut, and wait for every thread."""
        self.cut()
        for thread in self._threads:
            thread.join(20)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._to_port)) as server,
        ):
            with self._lock:
                self._sockets |= {client, server}
            inserting = threading.Event()
            back = self._run(self._back, server, client, inserting)
            while data := client.recv(65536):
                # A request begins a packet: the client waits for an answer before it sends the next.
                if data.startswith((b"POST", b"GET")):
                    inserting.clear()
                if b"INSERT INTO livemeter.otlp_" in data or b"INSERT+INTO+livemeter.otlp_" in data:
                    inserting.set()
                server.sendall(data)
            _break(server)
            back.join(20)
        with self._lock:
            self._sockets -= {client}

    def _back(self, server: socket.socket, client: socket.socket, inserting: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if inserting.is_set():
                    if self._takes("lose"):
                        break
                    if self._takes("hold"):
                        # Until the client gives up and hangs up.
                        continue
                client.sendall(data)
        _break(client)

    def _takes(self, what: str) -> bool:
        with self._lock:
            if what == "lose" and self._to_lose:
                self._to_lose, self.lost = self._to_lose - 1, self.lost + 1
                return True
            if what == "hold" and self._to_hold:
                self._to_hold, self.held = self._to_hold - 1, self.held + 1
                return True
            return False

    def _run(self, target: object, *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
        return thread


@contextmanager
def relayed(to_port: int) -> Generator[Relay]:
    """Relay to a port until the end of the block."""
    relay = Relay(to_port)
    relay.open()
    try:
        yield relay
    finally:
        relay.end()


def _break(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
