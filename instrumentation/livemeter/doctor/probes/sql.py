"""Asking the collector's SQL endpoint what has arrived: SELECTs over the public views, each one GET."""

import json
import re
import time
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit

import requests

from livemeter.doctor.facts import AppArrivals, Arrivals, Asked, Outcome, Reach
from livemeter.doctor.probes.deadline import GRACE_S, within
from livemeter.doctor.probes.outcome import explain
from livemeter.doctor.variables import shown_url
from livemeter.emit.session import is_loopback

_DATABASE = "livemeter"
_MOST_BYTES = 4 * 1024 * 1024
_CODE = re.compile(r"Code: (\d{1,5})\b")

_APPS = """
SELECT
    app,
    count() AS connections,
    countIf(last_event_at > now64(3) - INTERVAL 1 HOUR) AS recent,
    countIf(last_event_at > now64(3) - INTERVAL 1 HOUR AND started_at IS NULL) AS not_set_up,
    toUnixTimestamp64Milli(max(last_event_at)) AS newest_ms
FROM live_connections
GROUP BY app
ORDER BY newest_ms DESC
LIMIT 1000
"""

_CLOCK = "SELECT toUnixTimestamp64Milli(now64(3)) AS now_ms"

_USAGE = """
SELECT count() AS spoke, countIf(metered_turns = 0) AS unmetered
FROM
(
    SELECT connection_id, countIf(has_usage) AS metered_turns
    FROM live_turns
    WHERE has_output AND started_at > now64(3) - INTERVAL 1 HOUR
    GROUP BY connection_id
)
"""

Row = dict[str, Any]


class _NotAnsweredError(Exception):
    """A question brought no rows; ``asked`` says why."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked


def ask_arrivals(url: str, timeout_s: float) -> Asked:
    """Ask what has arrived within ``timeout_s`` seconds in all.

    Args:
        url: of the SQL endpoint; a user and a password in it are used and never shown.
        timeout_s: for all questions together.
    """
    nothing = Asked(shown_url(url))
    try:
        asked = within(timeout_s + GRACE_S, "ask the SQL endpoint", lambda: _ask(url, timeout_s, nothing))
    except TimeoutError:
        return replace(nothing, reach=Reach(Outcome.NOT_ANSWERED))
    return asked or replace(nothing, reach=Reach(Outcome.FAILED))


def _ask(url: str, timeout_s: float, nothing: Asked) -> Asked:
    endpoint = _Endpoint(url, time.monotonic() + timeout_s, nothing)
    answered = replace(nothing, reach=Reach(Outcome.ANSWERED, requests.codes.ok))
    try:
        with endpoint.session:
            return replace(answered, arrivals=_with_usage(endpoint, _arrivals(endpoint)))
    except _NotAnsweredError as error:
        return error.asked
    except (LookupError, TypeError, ValueError):
        # An answer, but not one of ClickHouse.
        return answered


class _Endpoint:
    """An SQL endpoint to which a few questions are put before a deadline."""

    def __init__(self, url: str, deadline: float, nothing: Asked) -> None:
        self._url = url
        self._deadline = deadline
        self._nothing = nothing
        self.session = requests.Session()
        # As exports do: no proxy to this machine.
        self.session.trust_env = not is_loopback(urlsplit(url).hostname or "")

    def rows(self, sql: str) -> list[Row]:
        """Return the rows of a SELECT.

        Raises:
            _NotAnsweredError: there are none, and why.
            ValueError, LookupError, TypeError: the answer is not ClickHouse's.
        """
        left_s = max(self._deadline - time.monotonic(), 0.001)
        parameters = {
            "query": f"{sql} FORMAT JSON",
            "database": _DATABASE,
            "max_execution_time": f"{left_s:.3f}",
        }
        try:
            response = self.session.get(
                self._url, params=parameters, timeout=left_s, stream=True, allow_redirects=False
            )
            body = _read(response)
        except (OSError, ValueError) as error:
            raise _NotAnsweredError(replace(self._nothing, reach=explain(error))) from error
        if response.status_code != requests.codes.ok:
            code = _CODE.search(body.decode("utf-8", "replace"))
            reach = Reach(Outcome.ANSWERED, response.status_code)
            raise _NotAnsweredError(
                replace(self._nothing, reach=reach, error_code=int(code[1]) if code else None)
            )
        return cast(list[Row], json.loads(body)["data"])


def _read(response: requests.Response) -> bytes:
    """Read a body, but not without end: whatever listens there may never stop to talk."""
    body = b""
    for piece in response.iter_content(65_536):
        body += piece
        if len(body) > _MOST_BYTES:
            break
    return body


def _arrivals(endpoint: _Endpoint) -> Arrivals:
    before_ms = time.time_ns() // 1_000_000
    now_ms = int(endpoint.rows(_CLOCK)[0]["now_ms"])
    # Its clock was read somewhere between our two readings.
    middle_ms = (before_ms + time.time_ns() // 1_000_000) // 2
    apps = tuple(_app(row) for row in endpoint.rows(_APPS))
    return Arrivals(now_ms, now_ms - middle_ms, apps)


def _app(row: Row) -> AppArrivals:
    # Numbers of 64 bits come as strings from some versions.
    return AppArrivals(
        str(row["app"]),
        int(row["connections"]),
        int(row["recent"]),
        int(row["not_set_up"]),
        int(row["newest_ms"]),
    )


def _with_usage(endpoint: _Endpoint, arrivals: Arrivals) -> Arrivals:
    """Add what the dearer question tells; a large store may not answer it in time."""
    try:
        [row] = endpoint.rows(_USAGE)
    except _NotAnsweredError:
        return arrivals
    return replace(arrivals, spoke=int(row["spoke"]), unmetered=int(row["unmetered"]))
