"""Facts to OpenTelemetry: one log record, the spans and the metrics of each, through given providers.

Every record carries its emitter's id and a number counted up by one, so that a reader sees what was lost
and what came twice. A process that was forked is an emitter of its own.
"""

import importlib.metadata
import itertools
import os
import secrets
import time
import weakref
from collections.abc import Callable, Iterable, Iterator

from opentelemetry._logs import LoggerProvider, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from livemeter import __version__
from livemeter.emit.connections import Origin
from livemeter.emit.metrics import Instruments
from livemeter.emit.records import common_attributes, record_of
from livemeter.emit.spans import ConnectionSpans
from livemeter.emit.values import Attributes, Record
from livemeter.guard import guarded
from livemeter.observer.facts import ConnectionClosed, ConnectionStarted, Endpoint, Fact, Identity
from livemeter.settings import Settings
from livemeter.vocabulary import SCHEMA_URL, SCOPE_NAME, Attribute

SOURCE = "sdk"
"""``gemini_live.source`` of what the hooks inside an application observe."""

_METRIC_ATTRIBUTES = (Attribute.PROVIDER.value, Attribute.PLATFORM.value, Attribute.MODEL.value)


class Emitter:
    """What a process emits through. Safe from any thread."""

    def __init__(
        self,
        logger_provider: LoggerProvider,
        tracer_provider: TracerProvider,
        meter_provider: MeterProvider,
        settings: Settings,
    ) -> None:
        schema_url = SCHEMA_URL or None
        self._logger = logger_provider.get_logger(SCOPE_NAME, __version__, schema_url)
        self.tracer = tracer_provider.get_tracer(SCOPE_NAME, __version__, schema_url)
        self.instruments = Instruments(meter_provider.get_meter(SCOPE_NAME, __version__, schema_url))
        self.settings = settings
        self.sdk_version = _installed_version("google-genai")
        self.websockets_version = _installed_version("websockets")
        self._identify()
        _call_after_fork(weakref.WeakMethod(self._identify))

    def _identify(self) -> None:
        # One assignment, so that no thread can pair the id of one process with the numbers of another.
        self._numbering: tuple[str, Iterator[int]] = (secrets.token_hex(16), itertools.count())

    def connection(
        self, connection_id: str, endpoint: Endpoint, parent: Context, *, opened_at_ns: int | None = None
    ) -> "ConnectionEmitter":
        """Return what emits one connection's facts.

        Args:
            connection_id: the connection's own id.
            endpoint: where it goes.
            parent: the context in which it was opened; its current span becomes the parent.
            opened_at_ns: when it was dialled (Unix, nanoseconds); now, if not given.
        """
        origin = Origin(endpoint, self.sdk_version, self.websockets_version)
        return ConnectionEmitter(self, connection_id, origin, parent, opened_at_ns or time.time_ns())

    def log(self, record: Record, attributes: Attributes, context: Context) -> None:
        """Emit a log record that belongs to the span in ``context``."""
        emitter_id, numbers = self._numbering
        self._logger.emit(
            timestamp=record.at_ns,
            observed_timestamp=time.time_ns(),
            context=context,
            severity_number=SeverityNumber(record.severity),
            severity_text=record.severity.name,
            body=record.body,
            attributes={
                **attributes,
                Attribute.EMITTER_ID: emitter_id,
                Attribute.EMITTER_SEQ: next(numbers),
            },
            event_name=record.event.value,
        )


class ConnectionEmitter:
    """Emits one connection's facts. Called from that connection's event loop only."""

    def __init__(
        self, emitter: Emitter, connection_id: str, origin: Origin, parent: Context, opened_at_ns: int
    ) -> None:
        self._emitter = emitter
        self._connection_id = connection_id
        self._origin = origin
        self._model = ""
        self._identity = Identity("")
        self._describe()
        self._spans = ConnectionSpans(emitter.tracer, parent, opened_at_ns, self._common)

    def emit(self, identity: Identity, facts: Iterable[Fact]) -> None:
        """Emit facts in their order; ``identity`` is whose connection it is, as far as it is known now."""
        for fact in facts:
            with guarded("emit an event"):
                self._emit(identity, fact)

    def _emit(self, identity: Identity, fact: Fact) -> None:
        self._know(identity, fact)
        record = record_of(fact, self._origin)
        attributes = {**self._common, **record.attributes}
        with guarded("emit a log record"):
            self._emitter.log(record, attributes, self._spans.context)
        with guarded("emit spans"):
            self._spans.observe(fact, attributes)
        with guarded("count metrics"):
            self._emitter.instruments.observe(fact, self._metric_attributes)

    def _know(self, identity: Identity, fact: Fact) -> None:
        model = self._model
        if isinstance(fact, ConnectionStarted | ConnectionClosed):
            model = fact.setup.model
        if identity != self._identity or model != self._model:
            self._identity, self._model = identity, model
            self._describe()

    def _describe(self) -> None:
        self._common = common_attributes(
            self._connection_id,
            self._identity,
            self._origin.endpoint,
            self._model,
            hash_user_ids=self._emitter.settings.hash_user_ids,
        )
        self._common[Attribute.SOURCE] = SOURCE
        self._metric_attributes = {
            name: self._common[name] for name in _METRIC_ATTRIBUTES if name in self._common
        }


def _installed_version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _call_after_fork(method: "weakref.WeakMethod[Callable[[], None]]") -> None:
    def after_fork() -> None:
        call = method()
        if call is not None:
            call()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=after_fork)
