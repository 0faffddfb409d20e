"""Facts to OpenTelemetry: one log record, the spans and the metrics of each, through given providers.

Every record carries its emitter's id and a number counted up by one, so that a reader sees what was lost
and what came twice. A process that was forked is an emitter of its own.
"""

import importlib.metadata
import os
import platform
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace

from opentelemetry._logs import LoggerProvider, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from livemeter import __version__
from livemeter.emit.connections import Origin
from livemeter.emit.content import ContentPolicy
from livemeter.emit.metrics import Instruments
from livemeter.emit.numbering import Numbering
from livemeter.emit.records import common_attributes, records_of
from livemeter.emit.spans import ConnectionSpans
from livemeter.emit.values import NO_CONTENT, Attributes, Content, Record
from livemeter.guard import guarded
from livemeter.observer.facts import ConnectionClosed, ConnectionStarted, Endpoint, Fact, Identity
from livemeter.settings import Settings
from livemeter.vocabulary import SCHEMA_URL, SCOPE_NAME, Attribute, Event

SOURCE = "sdk"
"""``gemini_live.source`` of what the hooks inside an application observe."""

_SCHEMA_URL = SCHEMA_URL or None
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
        self._logger = logger_provider.get_logger(SCOPE_NAME, __version__, _SCHEMA_URL)
        self.tracer = tracer_provider.get_tracer(SCOPE_NAME, __version__, _SCHEMA_URL)
        self.settings = settings
        self.sdk_version = _installed_version("google-genai")
        self.websockets_version = _installed_version("websockets")
        self.python_version = platform.python_version()
        self.os_type = platform.system().lower()
        self.count_with(meter_provider)
        call_after_fork(weakref.WeakMethod(self._identify))

    def count_with(self, meter_provider: MeterProvider) -> None:
        """Count with instruments of this provider from now on, as an emitter of another id."""
        self.instruments = Instruments(meter_provider.get_meter(SCOPE_NAME, __version__, _SCHEMA_URL))
        self._identify()

    def loop_lagged(self, seconds: float) -> None:
        """Count the lag of an event loop."""
        self.instruments.loop_lag(seconds)

    def _identify(self) -> None:
        # One assignment, so that no thread can pair the id of one process with the numbers of another.
        self._numbering = Numbering(self.instruments.dropped)

    def connection(
        self,
        connection_id: str,
        endpoint: Endpoint,
        parent: Context,
        *,
        opened_at_ns: int | None = None,
        framework_name: str = "",
        framework_version: str = "",
    ) -> "ConnectionEmitter":
        """Return what emits one connection's facts.

        Args:
            connection_id: the connection's own id.
            endpoint: where it goes.
            parent: the context in which it was opened; its current span becomes the parent.
            opened_at_ns: when it was dialled (Unix, nanoseconds); now, if not given.
            framework_name: the distribution through which the application dials, such as
                ``livekit-plugins-google``; empty if it uses google-genai itself, or nobody knows.
            framework_version: its version.
        """
        origin = Origin(
            endpoint,
            sdk_version=self.sdk_version,
            websockets_version=self.websockets_version,
            framework_name=framework_name,
            framework_version=framework_version,
            python_version=self.python_version,
            os_type=self.os_type,
        )
        return ConnectionEmitter(self, connection_id, origin, parent, opened_at_ns or time.time_ns())

    def log(self, record: Record, attributes: Attributes, context: Context) -> None:
        """Emit a log record that belongs to the span in ``context``."""
        numbering = self._numbering
        self._logger.emit(
            timestamp=record.at_ns,
            observed_timestamp=time.time_ns(),
            context=context,
            severity_number=SeverityNumber(record.severity),
            severity_text=record.severity.name,
            body=record.body,
            attributes={
                **attributes,
                Attribute.EMITTER_ID: numbering.emitter_id,
                Attribute.EMITTER_SEQ: numbering.take(attributes.values()),
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
        self._content = ContentPolicy(emitter.settings)
        self._describe()
        self._spans = ConnectionSpans(emitter.tracer, parent, opened_at_ns, self._common)

    def emit(self, identity: Identity, facts: Iterable[Fact]) -> None:
        """Emit facts in their order; ``identity`` is whose connection it is, as far as it is known now."""
        for fact in facts:
            with guarded("emit an event"):
                self._emit(identity, fact)

    def set_pings(self, interval_s: float | None, timeout_s: float | None) -> None:
        """Say which WebSocket ping settings are in effect, in seconds, before it starts.

        0 is off, None is not known.
        """
        self._origin = replace(self._origin, ping_interval_s=interval_s, ping_timeout_s=timeout_s)

    def _emit(self, identity: Identity, fact: Fact) -> None:
        self._know(identity, fact)
        attributes, content = self._common, NO_CONTENT
        for record in records_of(fact, self._origin, self._emitter.settings.frames):
            attributes = {**self._common, **record.attributes}
            content = self._content.passed(record.content)
            with guarded("emit a log record"):
                self._log(record, attributes, content)
        with guarded("emit spans"):
            self._spans.observe(fact, self._on_spans(attributes, content))
        with guarded("count metrics"):
            self._emitter.instruments.observe(fact, self._metric_attributes)

    def _log(self, record: Record, attributes: Attributes, content: Content) -> None:
        if content is not NO_CONTENT and self._content.on_events:
            attributes = {**attributes, **content.attributes}
            record = replace(record, body=content.body) if content.body else record
        if record.event is not Event.TRANSCRIPT or record.body:
            self._emitter.log(record, attributes, self._spans.context)

    def _on_spans(self, attributes: Attributes, content: Content) -> Attributes:
        if content is NO_CONTENT or not self._content.on_spans:
            return attributes
        return {**attributes, **content.attributes}

    def _know(self, identity: Identity, fact: Fact) -> None:
        model = self._model
        if isinstance(fact, (ConnectionStarted, ConnectionClosed)):
            model = fact.setup.model
        if (identity is not self._identity and identity != self._identity) or model != self._model:
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


def call_after_fork(method: "weakref.WeakMethod[Callable[[], None]]") -> None:
    """Have a method called in every process that is forked from this one, as long as its object lives."""

    def after_fork() -> None:
        call = method()
        if call is not None:
            call()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=after_fork)
