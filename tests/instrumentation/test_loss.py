"""What is lost on the way to the collector is counted, exactly, and reported when the way is good again."""

import enum
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk._logs import (
    ConcurrentMultiLogRecordProcessor,
    LoggerProvider,
    LogRecordLimits,
    ReadableLogRecord,
)
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NoOpTracerProvider

from livemeter import guard
from livemeter.emit import numbering, providers
from livemeter.emit.emitter import Emitter
from livemeter.emit.loss import LossCountingExporter
from livemeter.emit.providers import private_providers
from livemeter.observer.facts import Identity
from livemeter.settings import Settings
from livemeter.vocabulary import Attribute, DropReason, Event, Metric
from tests.instrumentation.examples import CLOSED, CONNECTION_ID, GO_AWAY, IDENTITY, STARTED, VERTEX
from tests.instrumentation.otlp_server import OtlpServer, attributes_of
from tests.instrumentation.test_emitter import run_python

LATER_MS = 3_600_000
FLUSH_MS = 60_000
Attributes = dict[str, Any]


class Exporter(LogRecordExporter):
    """Keeps what it exports, or fails as it is told to."""

    def __init__(self) -> None:
        self.kept: list[ReadableLogRecord] = []
        self.calls = 0
        self.fails = False
        self.raises = False
        self.is_shut_down = False

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        self.calls += 1
        if self.raises:
            raise OSError("no way")
        if self.fails:
            return LogRecordExportResult.FAILURE
        self.kept += batch
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        self.is_shut_down = True

    @property
    def records(self) -> list[Attributes]:
        return [{**(one.log_record.attributes or {})} for one in self.kept if not is_report(one)]

    @property
    def reports(self) -> list[Attributes]:
        return [{**(one.log_record.attributes or {})} for one in self.kept if is_report(one)]


def is_report(record: ReadableLogRecord) -> bool:
    return record.log_record.event_name == Event.DROPPED_RECORDS


class Application:
    """An application's own provider, whose exporter is wrapped, and an emitter that uses it."""

    def __init__(self, provider: LoggerProvider | None = None) -> None:
        self.exporter = Exporter()
        self.counting = LossCountingExporter(self.exporter)
        self.provider = provider or LoggerProvider(Resource({"service.name": "app"}), shutdown_on_exit=False)
        self.metrics = InMemoryMetricReader()
        self._meters = MeterProvider([self.metrics], shutdown_on_exit=False)
        self.emitter = Emitter(self.provider, NoOpTracerProvider(), self._meters, Settings())

    def exports_at_once(self) -> "Application":
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self.counting))
        return self

    def emit(self, count: int = 1) -> None:
        connection = self.emitter.connection(CONNECTION_ID, VERTEX, Context())
        connection.emit(IDENTITY, [GO_AWAY] * count)

    def close(self) -> None:
        self.provider.shutdown()  # type: ignore[no-untyped-call, unused-ignore]
        self._meters.shutdown()

    def dropped(self) -> dict[str, int]:
        data = self.metrics.get_metrics_data()
        metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        return {
            str((point.attributes or {})[Attribute.DROPPED_REASON]): int(getattr(point, "value", 0))
            for metric in metrics
            if metric.name == Metric.DROPPED_RECORDS
            for point in metric.data.data_points
        }


@pytest.fixture
def application() -> Iterator[Application]:
    application = Application().exports_at_once()
    yield application
    application.close()


@pytest.fixture(autouse=True)
def reports_are_not_spaced_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemeter.emit.loss.REPORT_EVERY_S", 0.0)


def count_nothing(count: int, reason: DropReason) -> None:
    pass


def loss(reason: DropReason, count: int, first: int, last: int) -> Attributes:
    return {
        Attribute.DROPPED_REASON: reason.value,
        Attribute.DROPPED_COUNT: count,
        Attribute.DROPPED_FIRST_SEQ: first,
        Attribute.DROPPED_LAST_SEQ: last,
    }


def without_emitter(report: Attributes) -> Attributes:
    return {name: value for name, value in report.items() if not name.startswith("gemini_live.emitter.")}


# Exports that fail.


def test_what_could_not_be_exported_is_reported_once_with_the_first_export_that_succeeds(
    application: Application,
) -> None:
    application.emit(2)
    application.exporter.fails = True
    application.emit(3)
    assert application.exporter.reports == []
    application.exporter.fails = False
    application.emit()
    application.emit()
    [report] = application.exporter.reports
    assert without_emitter(report) == loss(DropReason.EXPORT_FAILED, 3, 2, 4)
    assert application.dropped() == {DropReason.EXPORT_FAILED: 3}


def test_a_report_has_a_number_of_its_own_and_belongs_to_no_connection(application: Application) -> None:
    application.exporter.fails = True
    application.emit()
    application.exporter.fails = False
    application.emit()
    kept, report = application.exporter.kept
    attributes = {**(report.log_record.attributes or {})}
    assert attributes[Attribute.EMITTER_ID] == (kept.log_record.attributes or {})[Attribute.EMITTER_ID]
    assert attributes[Attribute.EMITTER_SEQ] == 2
    assert set(attributes) == {
        *(Attribute.EMITTER_ID, Attribute.EMITTER_SEQ, Attribute.DROPPED_COUNT, Attribute.DROPPED_REASON),
        *(Attribute.DROPPED_FIRST_SEQ, Attribute.DROPPED_LAST_SEQ),
    }
    assert report.resource.attributes["service.name"] == "app"
    assert report.instrumentation_scope == kept.instrumentation_scope
    assert report.log_record.severity_text == "WARN"
    assert not report.log_record.span_id


def test_an_exporter_that_raises_is_one_that_failed(application: Application) -> None:
    application.exporter.raises = True
    application.emit()
    with pytest.raises(OSError, match="no way"):
        application.counting.export([record_of_somebody_else()])
    application.exporter.raises = False
    application.emit()
    [report] = application.exporter.reports
    assert without_emitter(report) == loss(DropReason.EXPORT_FAILED, 1, 0, 0)


def test_a_report_that_is_lost_is_reported_with_the_next() -> None:
    """The collector goes away between a batch and the report about the one before."""
    application = Application().exports_at_once()
    application.exporter.fails = True
    application.emit(2)

    class FailsOnReports(Exporter):
        def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
            self.fails = self.calls == 1
            return super().export(batch)

    application.counting._exporter = reborn = FailsOnReports()
    application.emit()
    assert (reborn.calls, reborn.reports) == (2, [])
    application.emit()
    [report] = reborn.reports
    # The two events and the report itself, number 3.
    assert without_emitter(report) == loss(DropReason.EXPORT_FAILED, 3, 0, 3)
    assert application.dropped() == {DropReason.EXPORT_FAILED: 3}
    application.close()


def test_an_older_exporters_word_for_success_counts(application: Application) -> None:
    class OldResult(enum.Enum):
        SUCCESS = 0
        FAILURE = 1

    class Old(Exporter):
        def export(self, batch: Sequence[ReadableLogRecord]) -> Any:
            return OldResult[super().export(batch).name]

    application.counting._exporter = old = Old()
    application.emit(2)
    application.close()
    assert (len(old.records), old.reports) == (2, [])


# Records that never come by.


def test_numbers_that_never_came_by_are_told_at_the_end(application: Application) -> None:
    application.emit(2)
    for _ in range(3):
        application.emitter._numbering.take()
    application.emit()
    assert application.exporter.reports == []
    application.close()
    [report] = application.exporter.reports
    assert without_emitter(report) == loss(DropReason.QUEUE_FULL, 3, 2, 4)
    assert application.exporter.is_shut_down


def test_numbers_that_never_came_by_are_told_after_a_while(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livemeter.emit.loss.SETTLE_S", 0.0)
    application.emitter._numbering.take()
    application.emit()
    application.emit()
    [report] = application.exporter.reports
    assert without_emitter(report) == loss(DropReason.QUEUE_FULL, 1, 0, 0)


def test_a_flush_reports_what_is_certain(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemeter.emit.loss.REPORT_EVERY_S", 3600.0)
    application.exporter.fails = True
    application.emit()
    application.exporter.fails = False
    application.counting._reported_at = float("inf")
    application.emit()
    assert application.exporter.reports == []
    assert application.counting.force_flush()
    [report] = application.exporter.reports
    assert without_emitter(report) == loss(DropReason.EXPORT_FAILED, 1, 0, 0)


def test_records_that_overtake_each_other_are_no_loss() -> None:
    several = ConcurrentMultiLogRecordProcessor(8)
    application = Application(LoggerProvider(shutdown_on_exit=False, multi_log_record_processor=several))
    application.exports_at_once()
    threads = [threading.Thread(target=application.emit, args=(200,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    application.close()
    assert len({record[Attribute.EMITTER_SEQ] for record in application.exporter.records}) == 800
    assert application.exporter.reports == []


def test_nothing_is_tried_at_the_end_when_the_way_is_bad(application: Application) -> None:
    application.exporter.fails = True
    application.emit()
    calls = application.exporter.calls
    application.close()
    assert application.exporter.calls == calls
    assert application.exporter.is_shut_down


# Records that arrive damaged.


@pytest.mark.parametrize("longer", [0, 1])
def test_an_event_that_a_length_limit_cut_is_a_loss(longer: int) -> None:
    limits = LogRecordLimits(max_log_record_attribute_length=70)
    application = Application(LoggerProvider(shutdown_on_exit=False, log_record_limits=limits))
    application.exports_at_once()
    identity = Identity("s", labels={"note": "x" * (70 + longer)})
    connection = application.emitter.connection(CONNECTION_ID, VERTEX, Context())
    connection.emit(IDENTITY, [GO_AWAY])
    connection.emit(identity, [GO_AWAY, GO_AWAY])
    connection.emit(IDENTITY, [GO_AWAY])
    application.close()
    reports = [without_emitter(report) for report in application.exporter.reports]
    # One at a time, so each is reported by itself, and the first report is number 2.
    cut = [loss(DropReason.TRUNCATED, 1, number, number) for number in (1, 3)]
    assert reports == (cut if longer else [])


def test_an_event_that_lost_attributes_to_a_count_limit_is_a_loss(
    application: Application, recwarn: pytest.WarningsRecorder
) -> None:
    limits = LogRecordLimits(max_log_record_attributes=8)
    application = Application(LoggerProvider(shutdown_on_exit=False, log_record_limits=limits))
    application.exports_at_once().emit()
    application.close()
    [report] = application.exporter.reports
    assert without_emitter(report) == loss(DropReason.TRUNCATED, 1, 0, 0)


def test_a_limit_that_cuts_the_emitters_id_is_seen_and_the_report_carries_the_id_as_it_arrived() -> None:
    limits = LogRecordLimits(max_log_record_attribute_length=20)
    application = Application(LoggerProvider(shutdown_on_exit=False, log_record_limits=limits))
    application.exports_at_once().emit()
    application.close()
    [record], [report] = application.exporter.records, application.exporter.reports
    assert len(record[Attribute.EMITTER_ID]) == 20
    assert report[Attribute.EMITTER_ID] == record[Attribute.EMITTER_ID]
    assert report[Attribute.DROPPED_REASON] == DropReason.TRUNCATED


def test_lengths_are_kept_only_while_somebody_may_ask(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbering, "MAX_LENGTHS", 10)
    unwatched = numbering.Numbering(count_nothing)
    for _ in range(11):
        unwatched.take(["x"])
    assert not unwatched._lengths
    application.emit()
    assert not application.emitter._numbering._lengths


def test_what_was_emitted_before_the_limit_was_known_is_judged_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    limited = numbering.Numbering(count_nothing)
    texts = ("xxx", "xxxx", "", "x")
    before = [limited.take([text, 1.5, True]) for text in texts]
    assert not any(limited.is_cut(number) for number in before)
    limited.allow(3)
    after = [limited.take([text]) for text in texts]
    assert [limited.is_cut(number) for number in (*before, *after)] == [False, True, False, False] * 2
    monkeypatch.setattr(numbering, "MAX_LENGTHS", 10)
    for _ in range(20):
        limited.take(["xxxx"])
    assert len(limited._lengths) <= 12


# Whose records.


def record_of_somebody_else() -> ReadableLogRecord:
    return ReadableLogRecord(LogRecord(body="hello", attributes={"user.id": "u"}), Resource({}))


def test_records_of_others_pass_and_do_not_matter(application: Application) -> None:
    foreign = record_of_somebody_else()
    odd = ReadableLogRecord(
        LogRecord(attributes={Attribute.EMITTER_ID: "x", Attribute.EMITTER_SEQ: 7}), Resource({})
    )
    application.exporter.fails = True
    assert application.counting.export([foreign, odd]) is LogRecordExportResult.FAILURE
    application.exporter.fails = False
    assert application.counting.export([foreign, odd]) is LogRecordExportResult.SUCCESS
    application.close()
    assert application.exporter.kept == [foreign, odd]


def test_two_emitters_have_accounts_of_their_own(application: Application) -> None:
    other = Emitter(application.provider, NoOpTracerProvider(), NoOpMeterProvider(), Settings())
    application.exporter.fails = True
    application.emit(2)
    other.connection(CONNECTION_ID, VERTEX, Context()).emit(IDENTITY, [GO_AWAY])
    application.exporter.fails = False
    application.emit()
    reported = {
        report[Attribute.EMITTER_ID]: report[Attribute.DROPPED_COUNT]
        for report in application.exporter.reports
    }
    assert reported == {application.emitter._numbering.emitter_id: 2, other._numbering.emitter_id: 1}


def test_emitters_of_the_past_are_forgotten() -> None:
    made = [numbering.Numbering(count_nothing) for _ in range(numbering.MAX_EMITTERS + 5)]
    assert numbering.numbering_of(made[-1].emitter_id) is made[-1]
    assert numbering.numbering_of(made[0].emitter_id) is None
    assert numbering.numbering_of(made[-1].emitter_id[: numbering.SHORTEST_ID]) is made[-1]
    assert numbering.numbering_of(made[-1].emitter_id[: numbering.SHORTEST_ID - 1]) is None
    assert numbering.numbering_of("") is None


def test_an_account_that_breaks_costs_no_export(
    application: Application, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.strict(False)
    monkeypatch.setattr(guard, "_reported", set[tuple[str, str]]())
    monkeypatch.setattr("livemeter.emit.loss._by_emitter", None)
    application.emit(2)
    assert len(application.exporter.kept) == 2
    assert len([r for r in caplog.records if "count lost events" in r.getMessage()]) == 1


FORK = """
import json, os
from tests.instrumentation.test_loss import *

application = Application().exports_at_once()
application.exporter.fails = True
application.emit(3)
reading, writing = os.pipe()
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
application.exporter.fails = False
application.emit(2)
application.close()
told = [[one[Attribute.EMITTER_ID], one.get(Attribute.DROPPED_COUNT)] for one in application.exporter.reports]
told += [[one[Attribute.EMITTER_ID], one[Attribute.EMITTER_SEQ]] for one in application.exporter.records]
if not child:
    os.write(writing, json.dumps(told).encode())
    os._exit(0)
print(json.dumps([told, json.loads(os.read(reading, 10_000))]))
"""


def test_a_forked_process_accounts_for_its_own_records_alone() -> None:
    parent, child = json.loads(run_python(FORK))
    assert [count for _, count in parent] == [3, 3, 5]
    assert [number for _, number in child] == [0, 1]
    assert {emitter for emitter, _ in parent} != {emitter for emitter, _ in child}


# All of it, against a collector that refuses, hangs, dies and comes back.


@pytest.fixture
def server() -> Iterator[OtlpServer]:
    with OtlpServer().running() as running:
        yield running


def wait_until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never came to be")


class Process:
    """An instrumented process with a queue that is far too small, and a collector with moods."""

    def __init__(self, server: OtlpServer) -> None:
        settings = Settings(endpoint=server.endpoint, export_interval_ms=20, metric_interval_ms=LATER_MS)
        self.providers = private_providers(settings)
        # Logs alone, so that the link says how they fare.
        self.emitter = Emitter(self.providers.logger, NoOpTracerProvider(), self.providers.meter, settings)
        self.reasons: list[DropReason] = []
        self._count = self.emitter._numbering.count_lost
        self.emitter._numbering.count_lost = self._note

    def _note(self, count: int, reason: DropReason) -> None:
        self.reasons.append(reason)
        self._count(count, reason)

    def emit_from_threads(self, threads: int = 4, each: int = 150) -> None:
        def talk() -> None:
            connection = self.emitter.connection(CONNECTION_ID, VERTEX, Context())
            connection.emit(IDENTITY, [STARTED, *[GO_AWAY] * each, CLOSED])

        running = [threading.Thread(target=talk) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    def fails(self) -> None:
        """Emit until one more batch could not be delivered."""
        before = self.reasons.count(DropReason.EXPORT_FAILED)
        self.emit_from_threads()
        wait_until(lambda: self.reasons.count(DropReason.EXPORT_FAILED) > before)

    def succeeds(self) -> None:
        """Emit until what comes is delivered."""
        self.emit_from_threads()
        wait_until(lambda: self.providers.link.is_up)


def test_emitted_is_received_plus_what_was_reported_lost(
    server: OtlpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.strict(False)
    monkeypatch.setattr(providers, "MAX_QUEUED_RECORDS", 64)
    monkeypatch.setattr(providers, "MAX_BATCH", 16)
    monkeypatch.setattr(providers, "EXPORT_TIMEOUT_S", 1.5)
    process = Process(server)
    process.succeeds()
    server.status, server.headers = 503, {"retry-after": "60"}
    process.fails()
    server.status, server.headers = 200, {}
    process.succeeds()
    server.hold()
    process.fails()
    server.stop()
    server.released.set()
    process.fails()
    server.start_again()
    process.succeeds()
    assert process.providers.force_flush(FLUSH_MS)
    process.emit_from_threads()
    assert process.providers.shutdown(FLUSH_MS)

    account = Account(server)
    emitted = process.emitter._numbering.take()
    lost = set(range(emitted)) - account.numbers
    assert emitted > 3000
    assert account.reported[DropReason.QUEUE_FULL] > 0
    assert account.reported[DropReason.EXPORT_FAILED] > 0
    assert emitted == len(account.numbers) + sum(account.reported.values())
    assert (min(lost), max(lost)) == (account.first_lost, account.last_lost)
    assert dropped_points(server) == account.reported


class Account:
    """What the collector can know: the events that it has, and the losses that they report."""

    def __init__(self, server: OtlpServer) -> None:
        received = [attributes_of(record) for record in server.log_records]
        numbers = [int(one[Attribute.EMITTER_SEQ]) for one in received]
        self.numbers = set(numbers)
        assert len(numbers) == len(self.numbers)
        self.reports = [one for one in received if Attribute.DROPPED_REASON in one]
        self.reported: dict[str, int] = {}
        for one in self.reports:
            reason = str(one[Attribute.DROPPED_REASON])
            self.reported[reason] = self.reported.get(reason, 0) + int(one[Attribute.DROPPED_COUNT])
        self.first_lost = min((int(one[Attribute.DROPPED_FIRST_SEQ]) for one in self.reports), default=None)
        self.last_lost = max((int(one[Attribute.DROPPED_LAST_SEQ]) for one in self.reports), default=None)


def dropped_points(server: OtlpServer) -> dict[str, int]:
    """The last values that were exported; the counter only ever grows."""
    return {
        point.attributes[0].value.string_value: point.as_int
        for metric in server.metrics
        if metric.name == Metric.DROPPED_RECORDS
        for point in metric.sum.data_points
    }


def test_a_provider_of_the_applications_own_counts_as_well(server: OtlpServer) -> None:
    """The example in the module's documentation, with a queue that overflows."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    otlp = OTLPLogExporter(endpoint=f"{server.endpoint}/v1/logs", compression=Compression.Gzip)
    processor = BatchLogRecordProcessor(
        LossCountingExporter(otlp), schedule_delay_millis=LATER_MS, max_queue_size=8, max_export_batch_size=8
    )
    application = Application()
    application.provider.add_log_record_processor(processor)
    server.hold()
    application.emit(8)
    server.wait_for_request()
    application.emit(30)
    server.released.set()
    application.close()
    account = Account(server)
    assert account.reported[DropReason.QUEUE_FULL] > 0
    assert sum(account.reported.values()) == application.emitter._numbering.take() - len(account.numbers)
