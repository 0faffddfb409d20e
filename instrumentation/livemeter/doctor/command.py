"""``livemeter doctor``: is the hook on, where does telemetry go, does it arrive, and if not, why."""

import argparse
import os
import shutil
import sys
from urllib.parse import urlsplit

from livemeter.doctor.advice import advise
from livemeter.doctor.checks.arrived import check_arrived
from livemeter.doctor.checks.export import check_export
from livemeter.doctor.checks.installed import check_installed
from livemeter.doctor.checks.settings import check_settings
from livemeter.doctor.facts import Asked, Check, Findings, Reach, Variables
from livemeter.doctor.probes.hook import try_hook
from livemeter.doctor.probes.installed import read_installed
from livemeter.doctor.report import UNLIMITED, as_json, as_text, has_failed
from livemeter.doctor.variables import read_variables

TIMEOUT_S = 3.0
LONGEST_TIMEOUT_S = 60.0

_SQL_PORT = 8123


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``livemeter doctor``."""
    parser.add_argument(
        "--sql",
        metavar="URL",
        type=_url,
        help=f"the collector's SQL endpoint (default: port {_SQL_PORT} of the host that telemetry goes to)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=TIMEOUT_S,
        help="longest wait for the collector, and again for its SQL endpoint (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="write JSON; docs/doctor.md names its keys")


def run(arguments: argparse.Namespace) -> int:
    """Look, judge and report; returns 1 when a check failed."""
    findings = look(arguments.sql, arguments.timeout)
    checks = judge(findings)
    advice = advise(findings)
    if arguments.json:
        _write(as_json(findings, checks, advice))
    else:
        terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if terminal else UNLIMITED
        colour = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        _write(as_text(checks, advice, width=width, colour=colour))
    return int(has_failed(checks))


def look(sql: str | None, timeout_s: float) -> Findings:
    """Run every probe, one after the other."""
    variables = read_variables(os.environ)
    installed, hook = read_installed(), try_hook()
    return Findings(
        installed, hook, variables, _export(variables, timeout_s), _asked(variables, sql, timeout_s)
    )


def judge(findings: Findings) -> list[Check]:
    """Return every line of the report, in order."""
    return [
        *check_installed(findings.installed, findings.hook),
        *check_settings(findings.variables),
        *check_export(findings),
        *check_arrived(findings.asked, findings.variables.service),
    ]


def _export(variables: Variables, timeout_s: float) -> Reach | None:
    if variables.settings is None:
        return None
    try:
        # OpenTelemetry may be what is broken here.
        from livemeter.doctor.probes.otlp import send_nothing  # noqa: PLC0415
    except ImportError:
        return None
    return send_nothing(variables.settings, timeout_s)


def _asked(variables: Variables, sql: str | None, timeout_s: float) -> Asked:
    url = sql or _sql_url(variables.endpoint)
    if not url:
        return Asked("")
    try:
        # As above: requests.
        from livemeter.doctor.probes.sql import ask_arrivals  # noqa: PLC0415
    except ImportError:
        return Asked("")
    return ask_arrivals(url, timeout_s)


def _sql_url(endpoint: str) -> str:
    """Return where a collector at this endpoint answers SQL by default; empty without an endpoint."""
    host = urlsplit(endpoint).hostname or ""
    return f"http://{f'[{host}]' if ':' in host else host}:{_SQL_PORT}" if host else ""


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_one = False
    if not is_one:
        # It may hold a password and stays out of the message.
        raise argparse.ArgumentTypeError("it is no http(s) URL: try http://127.0.0.1:8123")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_TIMEOUT_S:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: use seconds, more than 0 and at most {LONGEST_TIMEOUT_S:g}"
        )
    return seconds


def _write(words: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(words.encode(encoding, "replace").decode(encoding))
    # Here and not at the interpreter's end, where nobody catches a closed pipe.
    sys.stdout.flush()
