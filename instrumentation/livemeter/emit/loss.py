"""Around an exporter of logs: counts which of Livemeter's events never reached the collector, and says so.

Every event carries its emitter's id and a number. A number that never comes by was lost before the exporter,
in a full queue (the SDK's processors drop silently); a batch that the exporter could not deliver was lost
whole; an event whose attributes a limit of the application's provider cut arrived damaged. When the path is
good again, at the latest when the exporter is shut down, one ``dropped_records`` event per reason tells how
many and between which numbers, through the same exporter, because a queue might lose it again.

For an application's own providers::

    BatchLogRecordProcessor(LossCountingExporter(OTLPLogExporter()))
"""

import math
import os
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

from opentelemetry import context
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

from livemeter.emit.arrivals import Ledger, Loss, loss_of
from livemeter.emit.numbering import Numbering, numbering_of
from livemeter.emit.values import Record, Severity
from livemeter.guard import guarded
from livemeter.vocabulary import Attribute, DropReason, Event

SETTLE_S = 1.0
"""How long a number may be missing before it counts as lost. Threads overtake each other by milliseconds."""

REPORT_EVERY_S = 1.0
"""Shortest time between two reports, so that a queue that overflows all the time is not filled with them."""

MAX_EMITTERS = 64
"""Emitters that are watched at once; of more than one process only if somebody relays them."""

_SUCCESS = LogRecordExportResult.SUCCESS.name


def dropped_record(reason: DropReason, loss: Loss, at_ns: int) -> Record:
    """Return the record of a loss. It belongs to an emitter and to no connection."""
    attributes = {
        Attribute.DROPPED_REASON.value: reason.value,
        Attribute.DROPPED_COUNT.value: loss.count,
        Attribute.DROPPED_FIRST_SEQ.value: loss.first,
        Attribute.DROPPED_LAST_SEQ.value: loss.last,
    }
    return Record(Event.DROPPED_RECORDS, at_ns, {**attributes}, severity=Severity.WARN)


@dataclass(slots=True)
class _Watched:
    """One emitter whose records pass, under the id that they carry, and the last record that did."""

    emitter_id: str
    numbering: Numbering
    last: ReadableLogRecord
    ledger: Ledger = field(default_factory=Ledger)

    def lose(self, reason: DropReason, loss: Loss) -> None:
        self.ledger.lose(reason, loss)
        self.numbering.count_lost(loss.count, reason)

    def settle(self, seen_before: float) -> None:
        count = self.ledger.settle(seen_before)
        if count:
            self.numbering.count_lost(count, DropReason.QUEUE_FULL)


@dataclass(frozen=True, slots=True)
class _Report:
    watched: _Watched
    reason: DropReason
    loss: Loss
    number: int


class LossCountingExporter(LogRecordExporter):
    """Exports through another exporter and accounts for what is lost. Safe from any thread.

    Records that are not Livemeter's pass as they are. A forked process begins its own account.
    """

    def __init__(self, exporter: LogRecordExporter) -> None:
        self._exporter = exporter
        self._renew()
        renew = weakref.WeakMethod(self._renew)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: (call := renew()) and call())

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._reporting = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._path_is_good = False
        self._reported_at = -math.inf
        self._context = context.Context()

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export a batch and account for it; the result and the error are the other exporter's."""
        self._path_is_good = False
        self._context = context.get_current()
        delivered = False
        try:
            result = self._exporter.export(batch)
            delivered = _is_success(result)
        finally:
            with guarded("count lost events"):
                self._account(batch, delivered=delivered)
        if delivered and time.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._report()
        return result

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Report what was lost, if the path is good, and flush the other exporter."""
        self._settle(time.monotonic() - SETTLE_S)
        self._report()
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Report what was lost, if the path is good, and shut the other exporter down."""
        self._settle(math.inf)
        self._report()
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _account(self, batch: Sequence[ReadableLogRecord], *, delivered: bool) -> None:
        now = time.monotonic()
        with self._lock:
            for emitter_id, records in _by_emitter(batch).items():
                watched = self._watch(emitter_id, next(reversed(records.values())))
                if watched is not None:
                    watched.ledger.arrivals.add(records, now)
                    _judge(watched, records, delivered=delivered)
        self._settle(now - SETTLE_S)
        self._path_is_good = delivered

    def _watch(self, emitter_id: str, record: ReadableLogRecord) -> _Watched | None:
        watched = self._watched.get(emitter_id)
        if watched is not None:
            watched.last = record
            return watched
        numbering = numbering_of(emitter_id)
        if numbering is None:
            return None
        numbering.allow(_length_limit(record))
        watched = self._watched[emitter_id] = _Watched(emitter_id, numbering, record)
        while len(self._watched) > MAX_EMITTERS:
            del self._watched[next(iter(self._watched))]
        return watched

    def _settle(self, seen_before: float) -> None:
        with guarded("count lost events"), self._lock:
            for watched in self._watched.values():
                watched.settle(seen_before)

    def _report(self) -> None:
        if not self._path_is_good or not self._reporting.acquire(blocking=False):
            return
        try:
            with guarded("report lost events"):
                self._send(self._take_reports())
        finally:
            self._reporting.release()

    def _take_reports(self) -> list[_Report]:
        with self._lock:
            return [
                _Report(watched, reason, loss, watched.numbering.take())
                for watched in self._watched.values()
                for reason, loss in watched.ledger.take().items()
            ]

    def _send(self, reports: Sequence[_Report]) -> None:
        if not reports:
            return
        self._reported_at = time.monotonic()
        delivered = False
        # What the SDK's processor exports under, so that nobody traces the request that this makes.
        token = context.attach(self._context)
        try:
            delivered = _is_success(self._exporter.export([_readable(report) for report in reports]))
        finally:
            context.detach(token)
            self._sent(reports, delivered=delivered)

    def _sent(self, reports: Sequence[_Report], *, delivered: bool) -> None:
        now = time.monotonic()
        with self._lock:
            for report in reports:
                report.watched.ledger.arrivals.add([report.number], now)
                if not delivered:
                    report.watched.ledger.lose(report.reason, report.loss)
                    report.watched.lose(DropReason.EXPORT_FAILED, loss_of([report.number]))
        self._path_is_good = delivered


def _judge(watched: _Watched, records: dict[int, ReadableLogRecord], *, delivered: bool) -> None:
    if not delivered:
        watched.lose(DropReason.EXPORT_FAILED, loss_of(records))
        return
    is_cut = watched.numbering.is_cut
    cut = [number for number, record in records.items() if record.dropped_attributes or is_cut(number)]
    if cut:
        watched.lose(DropReason.TRUNCATED, loss_of(cut))


def _by_emitter(batch: Sequence[ReadableLogRecord]) -> dict[str, dict[int, ReadableLogRecord]]:
    emitters: dict[str, dict[int, ReadableLogRecord]] = {}
    for record in batch:
        attributes = record.log_record.attributes or {}
        emitter_id, number = attributes.get(Attribute.EMITTER_ID), attributes.get(Attribute.EMITTER_SEQ)
        if isinstance(emitter_id, str) and isinstance(number, int):
            emitters.setdefault(emitter_id, {})[number] = record
    return emitters


def _length_limit(record: ReadableLogRecord) -> int | None:
    limits = record.limits
    # The SDK up to 1.43 knew one limit for all attributes.
    either = getattr(limits, "max_attribute_length", None)
    return getattr(limits, "max_log_record_attribute_length", either)


def _readable(report: _Report) -> ReadableLogRecord:
    now_ns = time.time_ns()
    record = dropped_record(report.reason, report.loss, now_ns)
    last = report.watched.last
    written = LogRecord(
        timestamp=record.at_ns,
        observed_timestamp=now_ns,
        context=set_span_in_context(INVALID_SPAN, context.Context()),
        severity_number=SeverityNumber(record.severity),
        severity_text=record.severity.name,
        attributes={
            **record.attributes,
            Attribute.EMITTER_ID: report.watched.emitter_id,
            Attribute.EMITTER_SEQ: report.number,
        },
        event_name=record.event.value,
    )
    return ReadableLogRecord(written, last.resource, last.instrumentation_scope, last.limits)


def _is_success(result: LogRecordExportResult) -> bool:
    # By its name, because older exporters return an enum of their own.
    return result.name == _SUCCESS
