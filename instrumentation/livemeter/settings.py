"""The configuration of the application's side: every setting, its default, its unit and why.

Reads environment variables and nothing else. An empty variable counts as unset, as OpenTelemetry has it.
``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` are read by the OpenTelemetry SDK itself.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self
from urllib.parse import unquote, urlsplit

_YES = {"1", "true", "yes", "on"}
_NO = {"0", "false", "no", "off"}
_GRPC_PORT = 4317


class SettingsError(ValueError):
    """A setting cannot be used. The message is one line: which one, what is wrong, what to do."""


class FramesForm(StrEnum):
    """In which form frames leave the process."""

    PACKED = "packed"
    RECORDS = "records"
    OFF = "off"


class ContentCapture(StrEnum):
    """Where content (transcripts, arguments and results of tools) may go. OpenTelemetry's own words."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    SPAN_AND_EVENT = "SPAN_AND_EVENT"


def _boolean(text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise ValueError(f"must be true or false, not {text!r}")
    return text.lower() in _YES


def _whole(unit: str) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"must be a whole number of {unit}, not {text!r}")
        return int(text)

    return whole


_milliseconds = _whole("milliseconds")


def _either(*words: str) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _frames_form(text: str) -> FramesForm:
    if text.lower() not in set(FramesForm):
        raise ValueError(f"must be {_either(*FramesForm)}, not {text!r}")
    return FramesForm(text.lower())


def _content_capture(text: str) -> ContentCapture:
    """Read the four words of the conventions, or true and false as earlier instrumentations had it."""
    if text.lower() in _YES | _NO:
        return ContentCapture.SPAN_AND_EVENT if text.lower() in _YES else ContentCapture.NO_CONTENT
    if text.upper() not in set(ContentCapture):
        raise ValueError(f"must be {_either(*ContentCapture, 'true', 'false')}, not {text!r}")
    return ContentCapture(text.upper())


def _headers(text: str) -> Mapping[str, str]:
    """Read ``name=value,name=value``, percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS is written."""
    headers: dict[str, str] = {}
    for position, entry in enumerate(text.split(","), start=1):
        name, equals, value = (unquote(part.strip()) for part in entry.partition("="))
        if not (equals and name and f"{name}{value}".isprintable()):
            # The entry itself may be a secret and stays out of the message.
            raise ValueError(f"must be name=value,name=value on one line; entry {position} is not")
        headers[name.lower()] = value
    return headers


def _from(parse: Callable[[str], object], *variables: str) -> Mapping[str, Any]:
    """Say which variables hold a setting (the first that is set wins) and how their text is read."""
    return {"environment": variables, "parse": parse}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting. ``Settings()`` is the defaults; ``from_environment`` is what applications get.

    Raises:
        SettingsError: a number of milliseconds or characters is not positive, or a word is not known.
    """

    enabled: bool = field(default=True, metadata=_from(_boolean, "LIVEMETER_ENABLED"))
    """Whether ``import livemeter.auto`` observes at all. True; off is for tests and emergencies."""

    endpoint: str = field(
        default="http://127.0.0.1:4318",
        repr=False,
        metadata=_from(str, "LIVEMETER_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    )
    """Base URL of the collector, OTLP over HTTP (protobuf). The collector on this machine unless told
    otherwise; ``LIVEMETER_ENDPOINT`` lets frames go elsewhere than an application's other telemetry.
    Checked when it is used (``otlp_url``): providers of the application's own need no endpoint."""

    headers: Mapping[str, str] = field(
        default_factory=dict[str, str], repr=False, metadata=_from(_headers, "LIVEMETER_HEADERS")
    )
    """Headers of every export, ``name=value,name=value``; none. ``OTEL_EXPORTER_OTLP_HEADERS`` go along
    only when the endpoint is ``OTEL_EXPORTER_OTLP_ENDPOINT``: a key belongs to the host it was made for."""

    frames: FramesForm = field(default=FramesForm.PACKED, metadata=_from(_frames_form, "LIVEMETER_FRAMES"))
    """``packed``, ``records`` or ``off``. ``packed``: one event carries the frames of half a second, for some
    twentieth of what ``records`` costs: one event a frame, for back ends that want them so. ``off`` leaves
    frames out; usage, turns, tool calls and closes are told as ever."""

    frames_interval_ms: int = field(
        default=500, metadata=_from(_milliseconds, "LIVEMETER_FRAMES_INTERVAL_MS")
    )
    """Longest time that frames of a connection wait to be packed into one event, in milliseconds. 500
    keeps frame to SQL under 2 s and the cost of an event spread over some 50 frames."""

    export_interval_ms: int = field(
        default=400, metadata=_from(_milliseconds, "LIVEMETER_EXPORT_INTERVAL_MS")
    )
    """Longest time that events and spans wait to be exported, in milliseconds. 400: a request
    costs some 2 ms of CPU beside an application at work, and frame to SQL stays under 2 s."""

    metric_interval_ms: int = field(
        default=10_000, metadata=_from(_milliseconds, "LIVEMETER_METRIC_INTERVAL_MS")
    )
    """Time between two exports of metrics, in milliseconds. 10,000: dashboards draw no finer than that."""

    shutdown_timeout_ms: int = field(
        default=2000, metadata=_from(_milliseconds, "LIVEMETER_SHUTDOWN_TIMEOUT_MS")
    )
    """Longest time that leaving the process waits for the last export, in milliseconds. 2,000: the SDK's
    own 30 s would outlast the grace period of most orchestrators when a collector hangs."""

    hash_user_ids: bool = field(default=True, metadata=_from(_boolean, "LIVEMETER_HASH_USER_IDS"))
    """Whether user ids leave the process as their SHA-256. True: sums by user work, names stay here."""

    capture_content: ContentCapture = field(
        default=ContentCapture.NO_CONTENT,
        metadata=_from(_content_capture, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"),
    )
    """Where content goes: ``NO_CONTENT``, ``SPAN_ONLY``, ``EVENT_ONLY`` or ``SPAN_AND_EVENT`` (also
    ``true``, which is ``SPAN_AND_EVENT``, and ``false``). ``NO_CONTENT``: what people say belongs to them.
    Content is transcripts (events only) and the arguments and results of tools. Audio never goes."""

    content_limit: int = field(default=4096, metadata=_from(_whole("characters"), "LIVEMETER_CONTENT_LIMIT"))
    """Longest piece of content, in characters; what is longer is cut and marked. 4,096: a page of text, so
    that one large tool result cannot crowd out the other events."""

    redact: Callable[[str], str] | None = field(default=None, repr=False, metadata=_from(str))
    """What every piece of content passes before it is cut and sent; none. Set in code only: it takes the
    text and returns what may leave. When it raises, or returns no string, the piece is left out."""

    prices: str = field(default="", metadata=_from(str, "LIVEMETER_PRICES"))
    """Path of a file with prices that win over the published ones; none. For contracts of one's own."""

    loop_lag: bool = field(default=True, metadata=_from(_boolean, "LIVEMETER_LOOP_LAG"))
    """Whether the lag of the event loop is watched. True: a blocked loop looks like a slow server."""

    pings: bool = field(default=True, metadata=_from(_boolean, "LIVEMETER_PINGS"))
    """Whether the round trips of WebSocket pings are watched. True: they tell which side died."""

    @property
    def captures_content(self) -> bool:
        """Whether content goes anywhere at all, so that nobody else needs to make any."""
        return self.capture_content is not ContentCapture.NO_CONTENT

    @property
    def content_on_events(self) -> bool:
        """Whether content goes onto log events."""
        return self.capture_content in {ContentCapture.EVENT_ONLY, ContentCapture.SPAN_AND_EVENT}

    @property
    def content_on_spans(self) -> bool:
        """Whether content goes onto spans."""
        return self.capture_content in {ContentCapture.SPAN_ONLY, ContentCapture.SPAN_AND_EVENT}

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            unit = _unit(setting.name)
            if unit and not (isinstance(value, int) and value > 0):
                raise SettingsError(f"{setting.metadata['environment'][0]} must be more than 0 {unit}")
            if setting.name in _WORDS:
                # In code, too, the words will do: Settings(frames="records").
                variable, parse = setting.metadata["environment"][0], setting.metadata["parse"]
                object.__setattr__(self, setting.name, _parsed(variable, str(value), parse))

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ, **overrides: Any) -> Self:
        """Read every setting from ``env``; ``overrides`` are fields by name and win.

        Raises:
            SettingsError: a variable cannot be understood.
        """
        values = dict(overrides)
        for setting in fields(cls):
            set_variables = (name for name in setting.metadata["environment"] if env.get(name, "").strip())
            variable = next(set_variables, None)
            if variable is not None and setting.name not in overrides:
                values[setting.name] = _parsed(variable, env[variable].strip(), setting.metadata["parse"])
        return cls(**values)

    def otlp_url(self, signal: str) -> str:
        """Return where a signal (``logs``, ``traces``, ``metrics``) is sent.

        Raises:
            SettingsError: the endpoint cannot be one of OTLP over HTTP.
        """
        try:
            parts = urlsplit(self.endpoint)
            host, port, has_user = parts.hostname, parts.port, "@" in parts.netloc
        except ValueError:
            raise SettingsError(f"the collector's endpoint is no URL: {_EXPECTED}") from None
        # None of these messages quotes the endpoint, because it may hold a credential.
        if has_user or parts.query or parts.fragment:
            raise SettingsError(
                "the collector's endpoint may hold no user, query or fragment:"
                " put credentials into LIVEMETER_HEADERS"
            )
        if parts.scheme not in {"http", "https"} or not host:
            raise SettingsError(f"the collector's endpoint is no http(s) URL: {_EXPECTED}")
        if port == _GRPC_PORT:
            raise SettingsError(
                f"port {_GRPC_PORT} of {host} speaks gRPC and Livemeter sends OTLP over HTTP:"
                f" set LIVEMETER_ENDPOINT, usually to {parts.scheme}://{host}:4318"
            )
        return f"{self.endpoint.rstrip('/')}/v1/{signal}"


_WORDS = {"frames", "capture_content"}
_EXPECTED = "set LIVEMETER_ENDPOINT to a base URL such as http://127.0.0.1:4318"


def _unit(setting: str) -> str:
    return "milliseconds" if setting.endswith("_ms") else "characters" if setting == "content_limit" else ""


def _parsed(variable: str, text: str, parse: Callable[[str], object]) -> object:
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{variable} {error}") from None
