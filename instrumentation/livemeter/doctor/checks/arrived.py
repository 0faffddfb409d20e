"""What has arrived at the collector, of this application and of all."""

from collections.abc import Iterator

from livemeter.doctor.facts import AppArrivals, Arrivals, Asked, Check, Outcome, Status

GROUP = "arrived"

UNSET = "unknown_service"
"""How OpenTelemetry begins the name of an application that has none."""

MOST_SKEW_MS = 30_000
"""Clocks that are further apart put events outside the window that somebody looks at."""

_MOST_NAMES = 5
_PASSWORD_CODES = {192, 193, 194, 516}
_NO_TABLES = {60, 81}
_LONGEST_NAME = 60


def check_arrived(asked: Asked, service: str) -> Iterator[Check]:
    """Yield whether the SQL endpoint answers, and what it says of the last hour.

    Args:
        asked: what came of asking.
        service: this environment's service name; empty when it has none.
    """
    if asked.arrivals is None:
        yield _unknown(asked)
        return
    arrivals = asked.arrivals
    yield _check("sql", Status.OK, f"{asked.url} answers")
    yield _clock(arrivals)
    yield _connections(arrivals)
    yield _service(arrivals, service)
    if recent(arrivals):
        yield _setup(arrivals)
        yield _usage(arrivals)


def recent(arrivals: Arrivals) -> int:
    """Return the number of connections with an event within the last hour."""
    return sum(app.recent for app in arrivals.apps)


def of_service(arrivals: Arrivals, service: str) -> AppArrivals | None:
    """Return what has arrived of one application; without a name, of one that has none either."""
    is_it = service.__eq__ if service else _has_no_name
    return next((app for app in arrivals.apps if is_it(app.app)), None)


def names(arrivals: Arrivals) -> str:
    """Return the applications that have arrived, the newest first, as far as a line holds."""
    shown = [_name(app.app) for app in arrivals.apps[:_MOST_NAMES]]
    more = len(arrivals.apps) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def age(milliseconds: int) -> str:
    """Return how long ago something was: ``3 s ago``, ``5 min ago``, ``2 h ago``, ``4 days ago``."""
    seconds = max(milliseconds, 0) // 1000
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def _has_no_name(app: str) -> bool:
    return not app or app.startswith(UNSET)


def _name(app: str) -> str:
    """Return a name from outside so that a terminal shows it and does nothing else."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in app)
    return plain[:_LONGEST_NAME] or "(no name)"


def _unknown(asked: Asked) -> Check:
    if asked.reach is None:
        to_do = "say where to ask with --sql http://HOST:8123"
        return _check("sql", Status.NOT_APPLICABLE, "not asked, because the endpoint is not known", to_do)
    says, to_do = _why(asked)
    return _check("sql", Status.WARN, f"what has arrived is not known: {asked.url} {says}", to_do)


def _why(asked: Asked) -> tuple[str, str]:
    elsewhere = "say where the collector answers SQL with --sql http://HOST:PORT"
    reach = asked.reach
    if reach is None or reach.outcome is not Outcome.ANSWERED:
        outcome = Outcome.FAILED if reach is None else reach.outcome
        return f"cannot be asked ({outcome.value.replace('_', ' ')})", elsewhere
    if reach.status in {401, 403} or asked.error_code in _PASSWORD_CODES:
        return f"wants a password (HTTP {reach.status})", "say --sql http://USER:PASSWORD@HOST:PORT"
    if asked.error_code in _NO_TABLES:
        to_do = "let livemeter up make them, or say with --sql where they are"
        return "is a ClickHouse without Livemeter's tables", to_do
    if asked.error_code is not None:
        return f"refuses (ClickHouse error {asked.error_code})", elsewhere
    return f"does not answer as ClickHouse does (HTTP {reach.status})", elsewhere


def _clock(arrivals: Arrivals) -> Check:
    apart_s = abs(arrivals.clock_ahead_ms) // 1000
    if abs(arrivals.clock_ahead_ms) <= MOST_SKEW_MS:
        return _check("clock", Status.OK, "agrees with the collector's")
    which = "behind" if arrivals.clock_ahead_ms > 0 else "ahead of"
    to_do = "set both clocks by NTP; until then look at a longer time range"
    return _check("clock", Status.WARN, f"this machine's is {apart_s} s {which} the collector's", to_do)


def _connections(arrivals: Arrivals) -> Check:
    if not arrivals.apps:
        return _check("connections", Status.WARN, "no Live connection has ever arrived", "see below")
    newest = age(arrivals.now_ms - arrivals.apps[0].newest_ms)
    if not recent(arrivals):
        return _check(
            "connections",
            Status.WARN,
            f"none in the last hour; the newest event is from {newest}",
            "see below",
        )
    return _check(
        "connections", Status.OK, f"{recent(arrivals)} in the last hour; the newest event is from {newest}"
    )


def _service(arrivals: Arrivals, service: str) -> Check:
    app = of_service(arrivals, service)
    if not service:
        return _unnamed(app)
    if app is None:
        to_do = "set OTEL_SERVICE_NAME for the application as it is here, or look for the other name"
        others = f"; there is {names(arrivals)}" if arrivals.apps else ""
        return _check("service", Status.WARN, f"nothing has arrived of {_name(service)}{others}", to_do)
    return _check("service", Status.OK, f"{_name(service)}: {_told(app, arrivals.now_ms)}")


def _unnamed(app: AppArrivals | None) -> Check:
    says = "OTEL_SERVICE_NAME is not set here, so an application is called unknown_service"
    return _check("service", Status.NOT_APPLICABLE, f"{says}{'; such a one has arrived' if app else ''}")


def _told(app: AppArrivals, now_ms: int) -> str:
    return f"{app.recent} in the last hour; the newest event is from {age(now_ms - app.newest_ms)}"


def _setup(arrivals: Arrivals) -> Check:
    missing = sum(app.not_set_up for app in arrivals.apps)
    if not missing:
        return _check("setup", Status.OK, "every connection of the last hour was set up")
    says = f"{missing} of {recent(arrivals)} connections of the last hour were never set up"
    return _check("setup", Status.WARN, says, "livemeter closes --since 1h tells why")


def _usage(arrivals: Arrivals) -> Check:
    if arrivals.spoke is None or arrivals.unmetered is None:
        return _check("usage", Status.NOT_APPLICABLE, "not told in time")
    if not arrivals.unmetered:
        return _check(
            "usage", Status.OK, "came with every connection of the last hour in which the model spoke"
        )
    says = (
        f"{arrivals.unmetered} of {arrivals.spoke} connections in which the model spoke have no token counts"
    )
    to_do = "their cost is not known; livemeter sessions shows the coverage of each session"
    return _check("usage", Status.WARN, says, to_do)


def _check(name: str, status: Status, says: str, to_do: str = "") -> Check:
    return Check(GROUP, name, status, says, to_do)
