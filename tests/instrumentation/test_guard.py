"""The guard: reports once, never raises, lets cancellation pass."""

import asyncio
import logging

import pytest

from livemeter import guard
from livemeter.guard import guarded, report


@pytest.fixture(autouse=True)
def fresh_guard(monkeypatch: pytest.MonkeyPatch, strict_guard: None) -> None:
    monkeypatch.setattr(guard, "_reported", set[tuple[str, str]]())
    guard.strict(False)


def fail(what: str = "test", message: str = "boom") -> None:
    with guarded(what):
        raise ValueError(message)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_an_error_is_swallowed_and_told_in_one_line_with_the_traceback_at_debug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "livemeter")
    fail("pack frames", message="quotes a secret\nin two lines")
    [warning] = warnings(caplog)
    assert "pack frames" in warning
    assert "ValueError at test_guard.py:" in warning
    assert "\n" not in warning
    assert "secret" not in warning
    [debug] = [record for record in caplog.records if record.levelno == logging.DEBUG]
    assert debug.exc_info
    assert isinstance(debug.exc_info[1], ValueError)


def test_the_same_place_is_told_once_and_another_again(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        fail("a")
        fail("b")
    assert len(warnings(caplog)) == 2


def test_an_endless_variety_of_errors_ends_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    for number in range(2 * guard.MAX_REPORTED):
        fail(f"block {number}")
    assert len(warnings(caplog)) == guard.MAX_REPORTED


def test_what_the_block_returns_gets_through() -> None:
    def answer() -> int:
        with guarded("answer"):
            return 42
        return 0

    assert answer() == 42


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_what_is_no_error_passes(kind: type[BaseException]) -> None:
    with pytest.raises(kind), guarded("test"):
        raise kind


def test_strict_raises_the_error_itself() -> None:
    guard.strict(True)
    error = ValueError("boom")
    with pytest.raises(ValueError, match="boom") as raised, guarded("test"):
        raise error
    assert raised.value is error
    with pytest.raises(ValueError, match="boom"):
        report("test", error)


def test_hot_paths_report_by_themselves(caplog: pytest.LogCaptureFixture) -> None:
    try:
        int("x")
    except ValueError as error:
        report("observe a frame", error)
    assert len(warnings(caplog)) == 1


def test_a_log_handler_that_fails_does_not_reach_the_application() -> None:
    class Broken(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("the application's log is broken")

    logger, broken = logging.getLogger("livemeter"), Broken()
    logger.addFilter(broken)
    try:
        fail()
    finally:
        logger.removeFilter(broken)
