"""Senders that behave as exporters do when the collector dies: the same bytes until they are acknowledged.

Every record has a name that no other has, and a sender writes down which names it sent and for which it was
told that they are kept. What is in the store is compared with that.
"""

import http.client
import random
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from livemeter.vocabulary import Attribute
from livemeter_collector.store.contract import Signal
from tests.collector.otlp_messages import logs_request
from tests.collector.sql.telemetry import NOW_MS, Process

OK, UNAVAILABLE = 200, 503
_HEADERS = {"Content-Type": "application/x-protobuf"}


@dataclass(frozen=True)
class Batch:
    """One request and the names of its records."""

    signal: Signal
    body: bytes
    names: frozenset[str]


def log_name(body: str) -> str:
    """Name a log record by its body."""
    return f"log {body}"


def span_name(span_id: str) -> str:
    """Name a span by its id, in hex."""
    return f"span {span_id}"


def fact_name(emitter_id: str, seq: object) -> str:
    """Name a Live event by its key."""
    return f"fact {emitter_id}/{seq}"


@dataclass
class Evidence:
    """What was sent and what was answered. Safe from any thread."""

    sent: set[str] = field(default_factory=set[str])
    acknowledged: set[str] = field(default_factory=set[str])
    requests: int = 0
    """Different ones that were sent."""
    acknowledged_requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter[int])
    """0: no answer."""
    retry_after: set[str] = field(default_factory=set[str])
    """What a 503 said of when to come again; empty if it did not."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sending(self, batch: Batch) -> None:
        """Take note before the first attempt: from now on its records may be found."""
        with self.lock:
            self.sent |= batch.names
            self.requests += 1

    def answered(self, status: int, retry_after: str) -> None:
        """Take note of an answer, or of none."""
        with self.lock:
            self.statuses[status] += 1
            if status == UNAVAILABLE:
                self.retry_after.add(retry_after)

    def kept(self, batch: Batch) -> None:
        """Take note that the collector promised to keep a batch."""
        with self.lock:
            self.acknowledged |= batch.names
            self.acknowledged_requests += 1


class Batches:
    """Makes one thread's requests, of all kinds; the same for the same seed, but for emitters' ids."""

    def __init__(self, name: str, seed: int) -> None:
        self._name = name
        self._chance = random.Random(f"{seed} {name}")
        self._made = 0
        self._connection = Process(name).connection()

    def make(self) -> Batch:
        """Return a request that was never made before."""
        self._made += 1
        kind = self._chance.choice((self._logs, self._spans, self._facts))
        return kind(self._chance.randint(1, 4))

    def _logs(self, count: int) -> Batch:
        bodies = [f"{self._name} {self._made} {number} " + self._padding() for number in range(count)]
        request = logs_request(bodies, self._name, time_unix_nano=NOW_MS * 1_000_000)
        return Batch(Signal.LOGS, _bytes(request), frozenset(map(log_name, bodies)))

    def _spans(self, count: int) -> Batch:
        request = ExportTraceServiceRequest()
        spans = request.resource_spans.add().scope_spans.add().spans
        for _ in range(count):
            spans.add(
                trace_id=self._chance.randbytes(16),
                span_id=self._chance.randbytes(8),
                name=f"{self._name} {self._padding()}",
                start_time_unix_nano=NOW_MS * 1_000_000,
                end_time_unix_nano=NOW_MS * 1_000_000 + 1,
            )
        return Batch(
            Signal.TRACES, _bytes(request), frozenset(span_name(span.span_id.hex()) for span in spans)
        )

    def _facts(self, count: int) -> Batch:
        request = ExportLogsServiceRequest()
        for number in range(count):
            make = self._connection.turn if number % 2 else self._connection.tool_call
            request.MergeFrom(make())
        return Batch(Signal.LOGS, _bytes(request), frozenset(_fact_names(request)))

    def _padding(self) -> str:
        # Most records are small; some make a request larger than a page of the disk.
        return "x" * (self._chance.choice((0, 0, 0, 50, 9000)))


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()


def _fact_names(request: ExportLogsServiceRequest) -> Iterator[str]:
    for resource in request.resource_logs:
        for record in resource.scope_logs[0].log_records:
            values = {pair.key: pair.value for pair in record.attributes}
            yield fact_name(
                values[Attribute.EMITTER_ID].string_value, values[Attribute.EMITTER_SEQ].int_value
            )


class Sender(threading.Thread):
    """Sends one batch after the other to a port of this machine, each until it is acknowledged."""

    def __init__(self, port: int, evidence: Evidence, name: str, seed: int) -> None:
        super().__init__(name=f"sender {name}")
        self._port = port
        self._evidence = evidence
        self._batches = Batches(name, seed)
        self._chance = random.Random(f"{seed} {name} moments")
        self._connection: http.client.HTTPConnection | None = None
        self._finish = threading.Event()
        self._abandon = threading.Event()
        self.failure: Exception | None = None

    def finish(self) -> None:
        """Begin nothing new; what was begun is still sent until it is acknowledged."""
        self._finish.set()

    def abandon(self) -> None:
        """Give up what is not acknowledged."""
        self._finish.set()
        self._abandon.set()

    def run(self) -> None:
        """Send until told otherwise."""
        try:
            while not self._finish.is_set():
                self._deliver(self._batches.make())
                self._finish.wait(self._chance.uniform(0, 0.004))
        except (AssertionError, ValueError) as error:
            self.failure = error
        finally:
            self._hang_up()

    def _deliver(self, batch: Batch) -> None:
        self._evidence.sending(batch)
        while not self._abandon.is_set():
            if self._attempt(batch) == OK:
                self._evidence.kept(batch)
                if self._chance.random() < 0.15:
                    # An exporter that lost a good answer.
                    self._attempt(batch)
                return
            self._abandon.wait(self._chance.uniform(0.005, 0.03))

    def _attempt(self, batch: Batch) -> int:
        hangs_up = self._chance.random() < 0.05
        try:
            status, retry_after = self._post(batch, hangs_up=hangs_up)
        except (OSError, http.client.HTTPException):
            self._hang_up()
            status, retry_after = 0, ""
        self._evidence.answered(status, retry_after)
        assert status in {0, OK, UNAVAILABLE}, f"the collector answered {status}"
        return status

    def _post(self, batch: Batch, *, hangs_up: bool) -> tuple[int, str]:
        connection = self._connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        self._connection = connection
        connection.request("POST", f"/v1/{batch.signal}", batch.body, _HEADERS)
        if hangs_up:
            self._hang_up()
            return 0, ""
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("Retry-After", "")

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Load:
    """Several senders at once."""

    def __init__(self, senders: Iterable[Sender]) -> None:
        self._senders = list(senders)

    def finish(self) -> None:
        """Send until everything that was begun is acknowledged, and end."""
        for sender in self._senders:
            sender.finish()
        self._join()

    def abandon(self) -> None:
        """End now; whatever is not acknowledged is given up."""
        for sender in self._senders:
            sender.abandon()
        self._join()

    def check(self) -> None:
        """Raise what a sender failed of."""
        for sender in self._senders:
            if sender.failure is not None:
                raise sender.failure

    def _join(self) -> None:
        for sender in self._senders:
            sender.join(60)
            assert not sender.is_alive(), "a sender still waits for an acknowledgement"
        self.check()


@contextmanager
def sending(port: int, evidence: Evidence, seed: int, senders: int = 3) -> Generator[Load]:
    """Send from several threads until the end of the block, unless told otherwise before."""
    # The seed is in the names, so that several loads of one test never send the same.
    threads = [Sender(port, evidence, f"s{seed}-{number}", seed) for number in range(senders)]
    load = Load(threads)
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        for thread in threads:
            thread.abandon()
        for thread in threads:
            thread.join(60)
