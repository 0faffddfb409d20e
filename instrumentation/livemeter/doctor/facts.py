"""What the probes found, as plain data. Nothing in here holds a header's value or a URL's user or path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from livemeter.settings import Settings


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    group: str
    name: str
    status: Status
    says: str
    """One sentence."""
    to_do: str = ""
    """What to do next; only where the status is not ok."""


@dataclass(frozen=True, slots=True)
class Installed:
    """This Python and the distributions in it."""

    python: str
    executable: str
    livemeter: str
    versions: Mapping[str, str | None]
    """By distribution; None where it is not installed."""


@dataclass(frozen=True, slots=True)
class Hook:
    """What came of laying the hook."""

    is_laid: bool = False
    was_on: bool = False
    """Whether something had instrumented this process before the doctor did."""
    over: str = ""
    """The dotted name of what dialled before, and empty when nobody knows."""
    error: str = ""
    """Why it could not be laid, one line."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that bears on the export."""

    name: str
    shown: str
    """Its value where that is harmless, else that it is set."""
    complaint: str = ""
    """Why Livemeter cannot use it, or does not."""
    is_fatal: bool = False
    """Whether nothing is exported because of it."""
    is_switch: bool = False
    """Whether it says so in good order."""
    to_do: str = ""


@dataclass(frozen=True, slots=True)
class Misspelt:
    """A variable that looks like one of Livemeter's and is none."""

    name: str
    closest: str
    """The real one that it resembles most; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment, understood."""

    variables: tuple[Variable, ...] = ()
    misspelt: tuple[Misspelt, ...] = ()
    settings: Settings | None = field(default_factory=Settings)
    """None when they cannot be understood."""
    error: str = ""
    """Why the settings or the endpoint cannot be used, one line."""
    endpoint: str = ""
    """Scheme, host and port of the collector; empty when that is no URL."""
    endpoint_from: str = ""
    """The variable that names it; empty for the default."""
    sdk_disabled: bool = False
    service: str = ""
    """``service.name`` as the environment has it; empty when it does not say."""
    proxies: tuple[str, ...] = ()
    """The proxy variables that are set, by name."""


class Outcome(StrEnum):
    """What came of a request."""

    ANSWERED = "answered"
    UNKNOWN_HOST = "unknown_host"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NOT_CONNECTED = "not_connected"
    """No connection within the time."""
    NOT_ANSWERED = "not_answered"
    """Connected, and no answer within the time."""
    CLOSED = "closed"
    """The connection was closed instead of an answer."""
    UNTRUSTED = "untrusted"
    """The certificate does not verify."""
    NOT_TLS = "not_tls"
    """The other side does not speak TLS."""
    TLS_FAILED = "tls_failed"
    NO_CERTIFICATE_FILE = "no_certificate_file"
    """The file that should hold certificates cannot be read."""
    PROXY = "proxy"
    """The proxy cannot be used."""
    FAILED = "failed"
    """Anything else; the detail is the error's type."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How a request went."""

    outcome: Outcome
    status: int | None = None
    """The HTTP status of an answer."""
    media_type: str = ""
    """The content type of an answer, without its parameters."""
    detail: str = ""
    """A few words about a failure; never anything that was sent."""
    proxy: str = ""
    """The variable whose proxy was used."""


@dataclass(frozen=True, slots=True)
class AppArrivals:
    """What the collector has of one application (``service.name``)."""

    app: str
    connections: int
    recent: int
    """Connections with an event within the last hour."""
    not_set_up: int
    """Of the recent ones, those whose setup was never answered."""
    newest_ms: int
    """Time of the newest event, Unix, milliseconds."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What has arrived at the collector."""

    now_ms: int
    """The collector's clock, Unix, milliseconds."""
    clock_ahead_ms: int
    """How far the collector's clock is ahead of this machine's, give or take the time of the question."""
    apps: tuple[AppArrivals, ...]
    """The newest first."""
    spoke: int | None = None
    """Connections in which the model made output within the last hour; None when that is not known."""
    unmetered: int | None = None
    """Of these, those without any usage frame."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking the collector's SQL endpoint."""

    url: str
    """Scheme, host and port; empty when there was nobody to ask."""
    reach: Reach | None = None
    error_code: int | None = None
    """ClickHouse's number of its error."""
    arrivals: Arrivals | None = None
    """None when they are not known."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that the probes found."""

    installed: Installed
    hook: Hook
    variables: Variables
    export: Reach | None
    """None when nothing could be sent at all."""
    asked: Asked
