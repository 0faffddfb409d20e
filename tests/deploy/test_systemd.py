"""The service file starts what there is, where it may write."""

import argparse
import configparser
import shlex
from pathlib import Path

import pytest

from livemeter_collector.commands import up

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "livemeter.service"


@pytest.fixture
def service() -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(UNIT.read_text("utf-8"))
    return dict(parser["Service"])


def test_the_command_is_one_that_livemeter_takes(service: dict[str, str]) -> None:
    program, verb, *words = shlex.split(service["ExecStart"])
    parser = argparse.ArgumentParser()
    up.add_arguments(parser)

    assert (Path(program).name, verb) == ("livemeter", "up")
    assert parser.parse_args(words).data == Path("/var/lib/livemeter")


def test_the_data_is_in_the_one_directory_that_can_be_written(service: dict[str, str]) -> None:
    assert service["ProtectSystem"] == "strict"
    assert f"--data /var/lib/{service['StateDirectory']}" in service["ExecStart"]


def test_it_starts_again_after_a_failure_and_is_given_time_to_stop(service: dict[str, str]) -> None:
    assert service["Restart"] == "on-failure"
    # Ten seconds to drain, and the engine's own close.
    assert int(service["TimeoutStopSec"]) > 10
