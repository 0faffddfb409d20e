"""What an application imports stays light: proved on ``sys.modules`` of a fresh interpreter."""

import json
import subprocess
import sys

import pytest

SERVICE = ("livemeter_collector", "chdb", "clickhouse_connect", "grpc", "pandas", "numpy", "uvicorn", "rich")
LIVE = ("google.genai", "websockets")


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import livemeter", (*SERVICE, *LIVE, "opentelemetry")),
        ("import livemeter.cli.main", (*SERVICE, *LIVE, "opentelemetry")),
        ("import livemeter.observer.connection", (*SERVICE, *LIVE, "opentelemetry", "asyncio")),
        ("import livemeter.diagnosis", (*SERVICE, *LIVE, "opentelemetry", "asyncio")),
        ("import livemeter; livemeter.instrument", (*SERVICE, *LIVE)),
        ("import livemeter.auto", SERVICE),
        ("import livemeter.testing", (*SERVICE, "google.genai", "opentelemetry")),
        ("import livemeter_collector.commands.sessions", ("chdb", "grpc", "pandas", *LIVE)),
    ],
)
def test_an_import_loads_nothing_heavier_than_it_needs(statement: str, absent: tuple[str, ...]) -> None:
    loaded = modules_after(statement)

    assert [name for name in absent if name in loaded] == []
