"""The doctor's report as aligned text and as JSON. Pure."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

from livemeter.doctor.advice import Advice
from livemeter.doctor.checks.arrived import of_service, recent
from livemeter.doctor.facts import AppArrivals, Arrivals, Check, Findings, Status

UNLIMITED = 100_000
"""The width of what no screen limits."""

_WORDS = {Status.OK: "ok", Status.WARN: "warn", Status.FAIL: "fail", Status.NOT_APPLICABLE: "-"}
_COLOURS = {Status.OK: "32", Status.WARN: "33", Status.FAIL: "31", Status.NOT_APPLICABLE: "2"}
_WORD_WIDTH = 4
_LEAST_TEXT = 30

_HEADINGS = {
    "installed": "what is installed",
    "settings": "what the environment says",
    "export": "where telemetry goes",
    "arrived": "what has arrived",
}


def has_failed(checks: Sequence[Check]) -> bool:
    """Say whether any check failed."""
    return any(check.status is Status.FAIL for check in checks)


def as_text(checks: Sequence[Check], advice: Sequence[Advice], *, width: int, colour: bool) -> str:
    """Return the report for people, in lines of at most ``width`` cells where words allow it."""
    lines: list[str] = []
    for group, members in groupby(checks, lambda check: check.group):
        lines += ["", _HEADINGS[group]] if lines else [_HEADINGS[group]]
        lines += _group_lines(list(members), width, colour=colour)
    lines += ["", "why a dashboard may be empty, the likeliest first"]
    for number, one in enumerate(advice, start=1):
        lines += _wrapped(_plain(one.says), f"{number:>3}. ", " " * 5, width)
    return "\n".join(lines) + "\n"


def as_json(findings: Findings, checks: Sequence[Check], advice: Sequence[Advice]) -> str:
    """Return the report for programs: JSON in ASCII, times in UTC, null for unknown."""
    report = {
        "livemeter": findings.installed.livemeter,
        "ok": not has_failed(checks),
        "checks": [
            {
                "group": check.group,
                "name": check.name,
                "status": check.status.value,
                "says": check.says,
                "to_do": check.to_do or None,
            }
            for check in checks
        ],
        "endpoint": findings.variables.endpoint or None,
        "sql": findings.asked.url or None,
        "service": findings.variables.service or None,
        "arrived": _arrived(findings.asked.arrivals, findings.variables.service),
        "advice": [{"cause": one.cause.value, "says": one.says} for one in advice],
    }
    return json.dumps(report, indent=2) + "\n"


def _arrived(arrivals: Arrivals | None, service: str) -> dict[str, object] | None:
    if arrivals is None:
        return None
    newest_ms = max((app.newest_ms for app in arrivals.apps), default=None)
    app = of_service(arrivals, service)
    return {
        "connections_last_hour": recent(arrivals),
        "newest_event_at": _time(newest_ms),
        "of_service": None if app is None else _of(app),
        "not_set_up_last_hour": sum(app.not_set_up for app in arrivals.apps),
        "with_output_last_hour": arrivals.spoke,
        "without_usage_last_hour": arrivals.unmetered,
        "clock_ahead_ms": arrivals.clock_ahead_ms,
    }


def _of(app: AppArrivals) -> dict[str, object]:
    return {
        "name": app.app,
        "connections": app.connections,
        "connections_last_hour": app.recent,
        "newest_event_at": _time(app.newest_ms),
    }


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _group_lines(checks: Sequence[Check], width: int, *, colour: bool) -> Iterator[str]:
    name_width = max(len(check.name) for check in checks)
    for check in checks:
        yield from _check_lines(check, name_width, width, colour=colour)


def _check_lines(check: Check, name_width: int, width: int, *, colour: bool) -> Iterator[str]:
    word = f"{_WORDS[check.status]:<{_WORD_WIDTH}}"
    margin = f"  {word}  {check.name:<{name_width}}  "
    blank = " " * len(margin)
    lines = _wrapped(_plain(check.says), margin, blank, width)
    if colour:
        painted = f"  \x1b[{_COLOURS[check.status]}m{word}\x1b[0m"
        lines[0] = painted + lines[0][2 + _WORD_WIDTH :]
    yield from lines
    if check.to_do:
        yield from _wrapped(_plain(check.to_do), f"{blank}> ", f"{blank}  ", width)


def _wrapped(text: str, first: str, rest: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, len(first) + _LEAST_TEXT),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def _plain(text: str) -> str:
    """Return text with nothing in it that a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
