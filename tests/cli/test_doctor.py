"""``livemeter doctor`` as a shell runs it, in environments that are well and in broken ones."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from livemeter import __version__
from livemeter.cli.main import main
from livemeter.doctor.advice import Cause, advise
from livemeter.doctor.command import judge
from livemeter.doctor.facts import (
    AppArrivals,
    Arrivals,
    Asked,
    Findings,
    Hook,
    Installed,
    Status,
    Variables,
)
from livemeter.doctor.report import as_json

ROOT = Path(__file__).parents[2]
INSTRUMENTATION = ROOT / "instrumentation"
SITE_PACKAGES = Path(pytest.__file__).parents[1]
SECRET = "s3cret"
COMMAND = ("-m", "livemeter.cli", "doctor")
# Sooner done, where the outcome does not matter.
QUICK = (
    "-c",
    "import sys; sys.modules['google.genai'] = None; from livemeter.cli.main import main;"
    " sys.exit(main(['doctor', '--timeout', '1']))",
)

REFUSED = """\
what is installed
  ok    python             Python VERSION, PYTHON
  ok    livemeter          VERSION
  ok    google-genai       VERSION
  ok    websockets         VERSION
  ok    opentelemetry-api  VERSION
  ok    opentelemetry-sdk  VERSION
  ok    otlp-exporter      VERSION
  ok    requests           VERSION
  ok    hook               takes: google.genai.live.ws_connect can be observed

what the environment says
  ok    LIVEMETER_ENDPOINT            http://127.0.0.1:PORT
  ok    LIVEMETER_FRAMES_INTERVAL_MS  250
  ok    LIVEMETER_HEADERS             set, not shown
  warn  LIVEMETER_ENPOINT             no setting has this name
                                      > rename it to LIVEMETER_ENDPOINT

where telemetry goes
  ok    endpoint   http://127.0.0.1:PORT (from LIVEMETER_ENDPOINT)
  fail  collector  nothing listens there
                   > start the collector with livemeter up, or set LIVEMETER_ENDPOINT to where it is

what has arrived
  warn  sql  what has arrived is not known: http://127.0.0.1:PORT cannot be asked (refused)
             > say where the collector answers SQL with --sql http://HOST:PORT

why a dashboard may be empty, the likeliest first
  1. a variable that no setting has is not read: LIVEMETER_ENPOINT (perhaps LIVEMETER_ENDPOINT)
  2. the collector at http://127.0.0.1:PORT cannot be reached from here (see the line collector above); \
until it can, nothing is stored
"""


def masked(text: str) -> str:
    """Return a report without what differs from machine to machine."""
    text = text.replace(sys.executable, "PYTHON")
    text = re.sub(r"(http://127\.0\.0\.1):\d+", r"\1:PORT", text)
    text = re.sub(r"(\d); from 17\.2 on .*", r"\1", text)
    return re.sub(r"(?<=[ ])\d+\.\d+[\w.]*", "VERSION", text)


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without what bears on the doctor."""
    foreign = re.compile(r"(?i)(livemeter|otel)_|.*_proxy$|no_color$")
    kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    return {**kept, **changes}


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    exit_code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.out)
        return read

    @property
    def statuses(self) -> dict[str, str]:
        return {check["name"]: check["status"] for check in self.report["checks"]}

    @property
    def causes(self) -> list[str]:
        return [one["cause"] for one in self.report["advice"]]

    @property
    def hook(self) -> dict[str, str]:
        [hook] = [check for check in self.report["checks"] if check["name"] == "hook"]
        return dict(hook)


Doctor = Callable[..., Outcome]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Doctor:
    """The command in this process, where google-genai is imported already."""

    def run(*words: str, **env: str) -> Outcome:
        capfd.readouterr()
        with monkeypatch.context() as patch:
            for name in os.environ.keys() - environment().keys():
                patch.delenv(name)
            for name, value in env.items():
                patch.setenv(name, value)
            exit_code = main(["doctor", *words])
        return Outcome(exit_code, *capfd.readouterr())

    return run


def fresh_doctor(*python: str, **env: str) -> Outcome:
    """The command in a Python of its own."""
    finished = subprocess.run(
        [sys.executable, *python, *COMMAND, "--json"],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Outcome(finished.returncode, finished.stdout, finished.stderr)


@pytest.fixture
def closed() -> Iterator[str]:
    """A URL at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def site_packages_without(folder: Path, *absent: str) -> str:
    """Make a folder of links to what is installed but some distributions; return it as a PYTHONPATH."""
    names = {name.replace("-", "_") for name in absent}
    for entry in SITE_PACKAGES.iterdir():
        is_absent = entry.name.split("-")[0] in names
        if entry.name == "google":
            (folder / "google").mkdir()
            for part in entry.iterdir():
                if part.name != "genai" or "google_genai" not in names:
                    (folder / "google" / part.name).symlink_to(part)
        elif not is_absent and entry.suffix != ".pth":
            (folder / entry.name).symlink_to(entry)
    return f"{folder}{os.pathsep}{INSTRUMENTATION}"


def test_a_collector_that_is_down_is_as_committed(doctor: Doctor, closed: str) -> None:
    outcome = doctor(
        "--sql",
        closed,
        LIVEMETER_ENDPOINT=f"{closed}/base",
        LIVEMETER_ENPOINT="x",
        LIVEMETER_FRAMES_INTERVAL_MS="250",
        LIVEMETER_HEADERS=f"authorization=Bearer {SECRET}",
    )
    assert (outcome.exit_code, outcome.err) == (1, "")
    assert masked(outcome.out) == REFUSED


def test_json_has_the_documented_keys(doctor: Doctor, closed: str) -> None:
    outcome = doctor("--json", "--sql", closed, LIVEMETER_ENDPOINT=closed, OTEL_SERVICE_NAME="lessons")
    report = outcome.report
    assert (outcome.exit_code, outcome.err, outcome.out.isascii()) == (1, "", True)
    checks, advice = report.pop("checks"), report.pop("advice")
    assert report == {
        "livemeter": __version__,
        "ok": False,
        "endpoint": closed,
        "sql": closed,
        "service": "lessons",
        "arrived": None,
    }
    assert {tuple(check) for check in checks} == {("group", "name", "status", "says", "to_do")}
    assert {check["status"] for check in checks} == {"ok", "warn", "fail"}
    assert {tuple(one) for one in advice} == {("cause", "says")}
    assert outcome.causes == ["collector_down"]


def test_the_documentation_names_every_key_and_every_cause() -> None:
    documented = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "doctor.md").read_text("utf-8")))
    moment = AppArrivals("a", 1, 1, 0, 1)
    asked = Asked("http://a", arrivals=Arrivals(1, 0, (moment,)))
    findings = Findings(Installed("", "", "", {}), Hook(), Variables(service="a"), None, asked)
    report = json.loads(as_json(findings, judge(findings), advise(findings)))
    keys = {*report, *report["checks"][0], *report["arrived"], *report["arrived"]["of_service"]}
    assert keys | set(Cause) | set(Status) <= documented


def test_settings_that_cannot_be_used_keep_nothing_else_from_being_told(doctor: Doctor, closed: str) -> None:
    outcome = doctor("--json", "--sql", closed, LIVEMETER_ENDPOINT="http://127.0.0.1:4317")
    told = outcome.statuses
    assert (told["LIVEMETER_ENDPOINT"], told["endpoint"]) == ("fail", "not_applicable")
    assert (told["hook"], told["sql"]) == ("ok", "warn")
    assert outcome.causes == ["settings"]


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(
    "endpoint",
    ["http://user:s3cret@127.0.0.1:1", "http://127.0.0.1:1/s3cret", "http://127.0.0.1:1/?k=s3cret"],
)
def test_no_secret_is_written_anywhere(doctor: Doctor, form: tuple[str, ...], endpoint: str) -> None:
    """Not of headers, of URLs, of proxies or of variables that nobody knows; also not by an error."""
    outcome = doctor(
        *form,
        "--sql",
        f"http://user:{SECRET}@127.0.0.1:1/{SECRET}?password={SECRET}",
        LIVEMETER_ENDPOINT=endpoint,
        LIVEMETER_HEADERS=f"authorization=Bearer {SECRET}",
        LIVEMETER_HEADER=f"x={SECRET}",
        OTEL_EXPORTER_OTLP_HEADERS=f"x={SECRET}",
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"http://{SECRET}@a/{SECRET}",
        OTEL_RESOURCE_ATTRIBUTES=f"token={SECRET}",
        HTTP_PROXY=f"http://user:{SECRET}@127.0.0.1:1",
    )
    assert outcome.exit_code == 1
    assert "set, not shown" in outcome.out
    assert SECRET not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--sql", f"ftp://u:{SECRET}@h"), "no http(s) URL"),
        (("--sql", f"http://u:{SECRET}@h:port"), "no http(s) URL"),
        (("--sql", f"http://[{SECRET}"), "no http(s) URL"),
        (("--timeout", "0"), "more than 0"),
        (("--timeout", "nan"), "more than 0"),
        (("--timeout", "soon"), "more than 0"),
    ],
)
def test_an_option_that_is_not_understood_is_told_without_repeating_a_password(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["doctor", *words])
    shown = capsys.readouterr().err
    assert stop.value.code == 2
    assert told in shown
    assert SECRET not in shown


def test_without_google_genai_everything_else_is_still_told(tmp_path: Path, closed: str) -> None:
    path = site_packages_without(tmp_path, "google-genai", "websockets")
    outcome = fresh_doctor("-S", PYTHONPATH=path, LIVEMETER_ENDPOINT=closed)
    told = outcome.statuses
    assert (outcome.exit_code, outcome.err) == (1, "")
    assert (told["google-genai"], told["websockets"], told["hook"]) == (
        "fail",
        "not_applicable",
        "not_applicable",
    )
    assert (told["opentelemetry-sdk"], told["collector"]) == ("ok", "fail")
    assert outcome.causes == ["no_google_genai", "collector_down"]


def test_a_google_genai_that_cannot_be_imported_is_told_with_the_reason(tmp_path: Path, closed: str) -> None:
    path = site_packages_without(tmp_path, "websockets")
    outcome = fresh_doctor("-S", PYTHONPATH=path, LIVEMETER_ENDPOINT=closed)
    assert outcome.hook["status"] == "fail"
    assert "No module named 'websockets'" in outcome.hook["says"]
    assert outcome.causes[0] == "no_hook"


def test_an_error_in_google_genai_s_import_ends_no_report(tmp_path: Path, closed: str) -> None:
    """Something that no import should raise, such as a mismatch of compiled parts."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'google.genai.live': raise RuntimeError('s3cret')\n"
        "sys.meta_path.insert(0, Broken())\n"
    )
    outcome = fresh_doctor(PYTHONPATH=str(tmp_path), LIVEMETER_ENDPOINT=closed)
    assert (outcome.hook["status"], outcome.exit_code) == ("fail", 1)
    assert "Livemeter could not lay the hook (RuntimeError at " in outcome.err
    assert SECRET not in outcome.out + outcome.err


@pytest.mark.parametrize("absent", [("opentelemetry",), ("requests",)])
def test_what_every_export_needs_may_be_missing_without_a_traceback(
    tmp_path: Path, absent: tuple[str, ...], closed: str
) -> None:
    distributions = [
        entry.name.split("-")[0] for entry in SITE_PACKAGES.iterdir() if entry.name.startswith(absent)
    ]
    path = site_packages_without(tmp_path, *distributions)
    outcome = fresh_doctor("-S", PYTHONPATH=path, LIVEMETER_ENDPOINT=closed)
    assert (outcome.exit_code, outcome.err) == (1, "")
    assert outcome.statuses["collector"] == "not_applicable"
    assert "no_opentelemetry" in outcome.causes


def test_a_hook_of_somebody_else_is_named(tmp_path: Path, closed: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import google.genai.live as live\n"
        "dial = live.ws_connect\n"
        "def another(*args, **options): return dial(*args, **options)\n"
        "live.ws_connect = another\n"
    )
    hook = fresh_doctor(PYTHONPATH=str(tmp_path), LIVEMETER_ENDPOINT=closed).hook
    assert hook["status"] == "warn"
    assert "sitecustomize.another dials instead of websockets" in hook["says"]


def test_an_environment_that_instruments_every_process_is_told(tmp_path: Path, closed: str) -> None:
    (tmp_path / "sitecustomize.py").write_text("import livemeter.auto\n")
    hook = fresh_doctor(PYTHONPATH=str(tmp_path), LIVEMETER_ENDPOINT=closed).hook
    assert (hook["status"], hook["says"]) == ("ok", "already on in every Python of this environment")


def test_the_hook_is_gone_when_the_doctor_has_looked() -> None:
    from google.genai import live

    from livemeter.doctor.probes.hook import try_hook

    before = vars(live)["ws_connect"]
    hook = try_hook()
    assert (hook.is_laid, hook.was_on, hook.error) == (True, False, "")
    assert hook.over.startswith("websockets.")
    assert vars(live)["ws_connect"] is before


def on_a_terminal(**env: str) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, *QUICK], stdout=theirs, env=environment(TERM="xterm", **env)
    ) as process:
        os.close(theirs)
        written = b""
        while chunk := _read(ours):
            written += chunk
        assert process.wait(timeout=30) == 1
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        # Reading from a terminal whose other end is closed is an error on Linux.
        return b""


def test_a_terminal_gets_colours_and_lines_of_its_width(closed: str) -> None:
    painted = on_a_terminal(COLUMNS="90", LIVEMETER_ENDPOINT=closed)
    plain = on_a_terminal(COLUMNS="90", LIVEMETER_ENDPOINT=closed, NO_COLOR="1")
    assert "\x1b[31mfail\x1b[0m" in painted
    assert re.sub(r"\x1b\[\d+m", "", painted) == plain
    assert max(map(len, plain.splitlines())) <= 90


def test_a_reader_that_has_seen_enough_is_no_error(closed: str) -> None:
    with subprocess.Popen(
        [sys.executable, *QUICK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(LIVEMETER_ENDPOINT=closed),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0
