"""Why a dashboard may be empty, from what was found, the likeliest reason first. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from livemeter.doctor.checks.arrived import age, names, of_service, recent
from livemeter.doctor.checks.export import accepts, is_of_otlp
from livemeter.doctor.checks.installed import has_google_genai, lacks_opentelemetry
from livemeter.doctor.facts import Findings, Outcome
from livemeter.doctor.variables import GENERAL_ENDPOINT


class Cause(StrEnum):
    """A reason for an empty dashboard. The order is that of likelihood."""

    NO_GOOGLE_GENAI = "no_google_genai"
    NO_OPENTELEMETRY = "no_opentelemetry"
    NO_HOOK = "no_hook"
    SWITCHED_OFF = "switched_off"
    SETTINGS = "settings"
    MISSPELT = "misspelt"
    COLLECTOR_DOWN = "collector_down"
    COLLECTOR_REFUSES = "collector_refuses"
    ELSEWHERE = "elsewhere"
    OTHER_SERVICE = "other_service"
    OLD_EVENTS = "old_events"
    NOT_SET_UP = "not_set_up"
    NO_USAGE = "no_usage"
    NO_FRAMES = "no_frames"
    ARRIVALS_UNKNOWN = "arrivals_unknown"
    NOT_INSTRUMENTED = "not_instrumented"
    OTHER_PYTHON = "other_python"
    OTHER_MACHINE = "other_machine"
    KILLED = "killed"
    DASHBOARD = "dashboard"


@dataclass(frozen=True, slots=True)
class Advice:
    """One possible reason and what to do about it, in one line."""

    cause: Cause
    says: str


def advise(findings: Findings) -> tuple[Advice, ...]:
    """Return the reasons that fit what was found; what would hide all others comes first.

    The general ones, which no probe can see, are left out where a particular one stops everything.
    """
    particular = [Advice(cause, says) for cause, find in _PARTICULAR if (says := find(findings))]
    if any(advice.cause in _BLOCKING for advice in particular):
        return tuple(particular)
    return (*particular, *_general(findings))


def arrives(findings: Findings) -> bool:
    """Say whether events of this environment's application arrived within the last hour."""
    arrivals, service = findings.asked.arrivals, findings.variables.service
    if arrivals is None:
        return False
    if not service:
        return recent(arrivals) > 0
    app = of_service(arrivals, service)
    return app is not None and app.recent > 0


def _no_google_genai(findings: Findings) -> str:
    if has_google_genai(findings.installed):
        return ""
    return (
        "google-genai is not installed in this Python; if the application runs on another one, run the"
        " doctor there: /path/to/its/python -m livemeter.cli doctor"
    )


def _no_opentelemetry(findings: Findings) -> str:
    if not lacks_opentelemetry(findings.installed):
        return ""
    return "what every export needs is missing or too old in this Python: pip install --upgrade livemeter"


def _no_hook(findings: Findings) -> str:
    if findings.hook.is_laid or not has_google_genai(findings.installed):
        return ""
    return "the hook does not take, so no connection is observed: see the line hook above"


def _switched_off(findings: Findings) -> str:
    settings = findings.variables.settings
    if settings is not None and not settings.enabled:
        return "LIVEMETER_ENABLED switches observation off"
    return "OTEL_SDK_DISABLED switches OpenTelemetry off" if findings.variables.sdk_disabled else ""


def _settings(findings: Findings) -> str:
    variables = findings.variables
    if variables.error:
        return f"the settings cannot be used, so nothing is observed: {variables.error}"
    broken = [one.name for one in variables.variables if one.is_fatal and not one.is_switch]
    return f"nothing is observed because of {', '.join(broken)}" if broken else ""


def _misspelt(findings: Findings) -> str:
    wrong = findings.variables.misspelt
    said = (f"{one.name} (perhaps {one.closest})" if one.closest else one.name for one in wrong)
    return f"a variable that no setting has is not read: {', '.join(said)}" if wrong else ""


def _collector_down(findings: Findings) -> str:
    reach = findings.export
    if reach is None or reach.outcome is Outcome.ANSWERED:
        return ""
    return (
        f"the collector at {findings.variables.endpoint} cannot be reached from here"
        " (see the line collector above); until it can, nothing is stored"
    )


def _collector_refuses(findings: Findings) -> str:
    reach = findings.export
    if reach is None or reach.outcome is not Outcome.ANSWERED or (accepts(reach) and is_of_otlp(reach)):
        return ""
    return (
        f"whoever answers at {findings.variables.endpoint} takes no telemetry: see the line collector above"
    )


def _elsewhere(findings: Findings) -> str:
    variables, asked = findings.variables, findings.asked
    if arrives(findings) or not variables.endpoint:
        return ""
    if asked.arrivals is not None and _host(asked.url) != _host(variables.endpoint):
        return f"telemetry goes to {variables.endpoint}, and what has arrived was asked at {asked.url}"
    if variables.endpoint_from == GENERAL_ENDPOINT:
        return (
            f"{GENERAL_ENDPOINT} decides where telemetry goes ({variables.endpoint}); if Livemeter's"
            " collector is another one, set LIVEMETER_ENDPOINT"
        )
    return ""


def _other_service(findings: Findings) -> str:
    arrivals, service = findings.asked.arrivals, findings.variables.service
    if arrivals is None or not service or not recent(arrivals) or arrives(findings):
        return ""
    return (
        f"events arrive, but under other names than this environment's: {names(arrivals)}; the application"
        " may run without this OTEL_SERVICE_NAME"
    )


def _old_events(findings: Findings) -> str:
    arrivals = findings.asked.arrivals
    if arrivals is None or not arrivals.apps or recent(arrivals):
        return ""
    newest = age(arrivals.now_ms - arrivals.apps[0].newest_ms)
    return f"the newest event is from {newest}: look at a longer time range, or open a Live connection"


def _not_set_up(findings: Findings) -> str:
    arrivals = findings.asked.arrivals
    if arrivals is None or not any(app.not_set_up for app in arrivals.apps):
        return ""
    return (
        "connections that the service never set up have no turns, tokens or cost: livemeter closes tells why"
    )


def _no_usage(findings: Findings) -> str:
    arrivals = findings.asked.arrivals
    if arrivals is None or not arrivals.unmetered:
        return ""
    return "connections without token counts have no cost: unknown is shown as -, never as zero"


def _no_frames(findings: Findings) -> str:
    if not any(one.name == "LIVEMETER_FRAMES" and one.shown == "off" for one in findings.variables.variables):
        return ""
    return "LIVEMETER_FRAMES=off leaves out frames, so that panels about frames stay empty"


def _general(findings: Findings) -> Iterator[Advice]:
    if arrives(findings):
        yield Advice(Cause.DASHBOARD, _DASHBOARD)
        return
    if findings.asked.arrivals is None:
        yield Advice(Cause.ARRIVALS_UNKNOWN, _ARRIVALS_UNKNOWN)
    if not findings.hook.was_on:
        yield Advice(Cause.NOT_INSTRUMENTED, _NOT_INSTRUMENTED)
    yield Advice(Cause.OTHER_PYTHON, _OTHER_PYTHON)
    if _is_this_machine(_host(findings.variables.endpoint)):
        yield Advice(Cause.OTHER_MACHINE, _OTHER_MACHINE)
    yield Advice(Cause.KILLED, _killed(findings))


_ARRIVALS_UNKNOWN = "nobody could say what has arrived: name the collector's SQL endpoint with --sql"
_NOT_INSTRUMENTED = (
    "no Live connection was opened yet, or the application does not run the line import livemeter.auto; it"
    " may stand before or after the import of google-genai, but has to run before connections are opened"
)
_OTHER_PYTHON = (
    "the application runs on another Python or in another environment than this: run the doctor as it runs,"
    " /path/to/its/python -m livemeter.cli doctor"
)
_OTHER_MACHINE = (
    "the application runs in a container or on another machine, whose loopback address is its own: set"
    " LIVEMETER_ENDPOINT there"
)
_DASHBOARD = "events arrive: look at the dashboard's time range, its data source and its filters"


def _killed(findings: Findings) -> str:
    settings = findings.variables.settings
    waits_s = (settings.frames_interval_ms + settings.export_interval_ms) / 1000 if settings else None
    what = f"up to {waits_s:g} s of telemetry" if waits_s is not None else "the telemetry that waits"
    return (
        f"a process that is killed (SIGKILL, or SIGTERM without a handler) loses {what}, and a short one all"
        " of it: let it end by itself, or call livemeter.flush()"
    )


def _is_this_machine(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


_PARTICULAR: tuple[tuple[Cause, Callable[[Findings], str]], ...] = (
    (Cause.NO_GOOGLE_GENAI, _no_google_genai),
    (Cause.NO_OPENTELEMETRY, _no_opentelemetry),
    (Cause.NO_HOOK, _no_hook),
    (Cause.SWITCHED_OFF, _switched_off),
    (Cause.SETTINGS, _settings),
    (Cause.MISSPELT, _misspelt),
    (Cause.COLLECTOR_DOWN, _collector_down),
    (Cause.COLLECTOR_REFUSES, _collector_refuses),
    (Cause.ELSEWHERE, _elsewhere),
    (Cause.OTHER_SERVICE, _other_service),
    (Cause.OLD_EVENTS, _old_events),
    (Cause.NOT_SET_UP, _not_set_up),
    (Cause.NO_USAGE, _no_usage),
    (Cause.NO_FRAMES, _no_frames),
)

_BLOCKING = {
    Cause.NO_GOOGLE_GENAI,
    Cause.NO_OPENTELEMETRY,
    Cause.NO_HOOK,
    Cause.SWITCHED_OFF,
    Cause.SETTINGS,
    Cause.COLLECTOR_DOWN,
    Cause.COLLECTOR_REFUSES,
}
