"""A collector that dies is started again: what is decided, with hand-worked pauses, and real processes."""

import argparse
import contextlib
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter_collector.commands import up
from livemeter_collector.commands.worker import settings_of
from livemeter_collector.service import Settings
from livemeter_collector.supervise import Ended, Finish, History, Pauses, Restart, next_step

FREE_PORTS = ("--otlp-grpc-port", "0", "--otlp-http-port", "0", "--sql-port", "0")
COMMAND = (sys.executable, "-m", "livemeter.cli", "up")
TIMEOUT_S = 60
Answer = TypeVar("Answer")
PAUSES = Pauses(1.0, 30.0, 60.0)
KILLED = Ended(-signal.SIGKILL, ready_s=5.0)


def pauses_after(*ends: Ended) -> list[float]:
    history, pauses = History(), []
    for ended in ends:
        step = next_step(ended, history, stopping=False, pauses=PAUSES)
        assert isinstance(step, Restart)
        history = step.history
        pauses.append(step.after_s)
    return pauses


def test_pauses_double_up_to_half_a_minute() -> None:
    assert pauses_after(*[KILLED] * 7) == [1, 2, 4, 8, 16, 30, 30]


def test_a_minute_of_health_makes_the_next_pause_the_first_again() -> None:
    almost, well = Ended(-signal.SIGSEGV, ready_s=59.9), Ended(-signal.SIGSEGV, ready_s=60.0)
    never_ready = Ended(-signal.SIGSEGV)

    assert pauses_after(KILLED, KILLED, almost, never_ready, well, KILLED) == [1, 2, 4, 8, 1, 2]


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        (
            KILLED,
            "the collector died of SIGKILL (so the kernel ends it when memory runs out);"
            " it starts again in 1 s",
        ),
        (Ended(-signal.SIGSEGV), "the collector died of SIGSEGV; it starts again in 1 s"),
        (Ended(-40), "the collector died of signal 40; it starts again in 1 s"),
        (Ended(1, ready_s=3.0), "the collector ended with exit code 1; it starts again in 1 s"),
    ],
)
def test_a_death_is_told_in_a_line(ended: Ended, says: str) -> None:
    step = next_step(ended, History(), stopping=False, pauses=PAUSES)

    assert isinstance(step, Restart)
    assert step.says == f"livemeter: {says}"


def test_what_could_never_start_is_not_tried_again() -> None:
    refused = Ended(1, refused=True)

    assert next_step(refused, History(), stopping=False, pauses=PAUSES) == Finish(1)
    # It crashed first, and was refused then: there never was a service to keep up.
    assert next_step(refused, History(pause_s=1.0), stopping=False, pauses=PAUSES) == Finish(1)


def test_a_service_that_was_ready_is_kept_up_though_its_port_was_taken_meanwhile() -> None:
    step = next_step(Ended(1, refused=True), History(True, 1.0), stopping=False, pauses=PAUSES)

    says = "livemeter: the collector could not start; it starts again in 2 s"
    assert step == Restart(2.0, says, History(True, 2.0))


@given(
    returncode=st.integers(-64, 255),
    ready_s=st.none() | st.floats(0, 1e6),
    refused=st.booleans(),
    was_ready=st.booleans(),
    pause_s=st.sampled_from([0.0, 1.0, 2.0, 16.0, 30.0]),
    stopping=st.booleans(),
)
def test_the_end_of_a_worker_always_has_a_next_step(
    returncode: int, ready_s: float | None, refused: bool, was_ready: bool, pause_s: float, stopping: bool
) -> None:
    """In order is 0; told to stop is the end; a pause is never shorter or longer than was said."""
    ended = Ended(returncode, ready_s, refused)
    step = next_step(ended, History(was_ready, pause_s), stopping, PAUSES)

    if isinstance(step, Restart):
        assert not stopping
        assert returncode != 0
        assert 1 <= step.after_s <= 30
        assert step.history == History(was_ready or ready_s is not None, step.after_s)
        assert step.says.count("\n") == 0
    else:
        assert 0 <= step.exit_code <= 255
        assert returncode != 0 or step.exit_code == 0
        assert stopping or returncode == 0 or (refused and not was_ready and ready_s is None)


@pytest.mark.parametrize(
    ("ended", "exit_code"),
    [
        (Ended(0, ready_s=1.0), 0),
        # The service manager signals every process of the service at once.
        (Ended(-signal.SIGTERM), 0),
        (Ended(1, ready_s=1.0), 1),
        (Ended(-signal.SIGKILL, ready_s=1.0), 137),
        (Ended(-signal.SIGSEGV), 139),
    ],
)
def test_the_exit_code_after_a_stop_tells_whether_it_ended_in_order(ended: Ended, exit_code: int) -> None:
    step = next_step(ended, History(), stopping=True, pauses=PAUSES)

    assert isinstance(step, Finish)
    assert step.exit_code == exit_code
    assert bool(step.says) == (exit_code > 128)


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    up.add_arguments(parser)
    return parser.parse_args(words)


def test_the_defaults_are_those_of_the_service() -> None:
    assert settings_of(parsed()) == Settings(data_dir=Path("livemeter-data").resolve())


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--data", "-odd name", "--host", "::1"),
        ("--data=-x",),
        ("--clickhouse", "http://user:pass@127.0.0.1:8123/?a=b", "--sql-port", "0"),
        FREE_PORTS,
    ],
)
def test_a_worker_has_the_arguments_of_its_parent(words: tuple[str, ...]) -> None:
    words = ("--data=-odd name", *words[2:]) if words[1:2] == ("-odd name",) else words
    ours = parsed(*words)
    theirs = parsed("--worker", *up.worker_words(ours))

    assert {**vars(theirs), "worker": False} == vars(ours)


@dataclass
class Supervised:
    """A running ``livemeter up`` with its worker."""

    process: subprocess.Popen[str]
    ready: str

    @property
    def sql(self) -> str:
        found = re.search(r"SQL +(\S+)", self.ready)
        assert found
        return found[1]

    def worker(self) -> int:
        """Return the worker's process id, as soon as there is one."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(until(lambda: path.read_text().split())[0])

    def answers(self) -> bool:
        """Ask the SQL endpoint, at the address that was said when it was first ready."""
        host, port = self.sql.removeprefix("http://").split(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 10) as asked:
            asked.sendall(b"GET /?query=SELECT+41%2B1 HTTP/1.0\r\n\r\n")
            return b"42" in b"".join(iter(lambda: asked.recv(4096), b""))
        return False

    def end(self) -> tuple[int, str, str]:
        out, errors = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, out, errors


def until(ask: Callable[[], Answer]) -> Answer:
    deadline = time.monotonic() + TIMEOUT_S
    while not (answer := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return answer


def is_alive(pid: int) -> bool:
    """Also a process whose end nobody took note of is none."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@contextlib.contextmanager
def supervised(data_dir: Path, *words: str) -> Iterator[Supervised]:
    command = [*COMMAND, "--data", str(data_dir), *(words or FREE_PORTS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = ""
            for line in process.stdout:
                ready += line
                if "Ctrl-C" in line:
                    break
            yield Supervised(process, ready)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_is_back_on_its_ports_and_both_end_in_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    """The ready lines are printed once; the death is one line."""
    with supervised(tmp_path) as running:
        assert running.answers()
        dead = running.worker()
        os.kill(dead, number)
        until(lambda: not is_alive(dead))
        until(running.answers)
        worker = running.worker()
        assert worker != dead
        running.process.terminate()
        exit_code, out, errors = running.end()

        assert (exit_code, out) == (0, "")
        [line] = [line for line in errors.splitlines() if line.startswith("livemeter: ")]
        assert line.startswith(f"livemeter: the collector died of {number.name}")
        assert line.endswith("; it starts again in 1 s")
        assert not is_alive(worker)
        assert not (tmp_path / "collector.json").exists()


def test_a_signal_for_both_at_once_is_a_stop_in_order(tmp_path: Path) -> None:
    """As a service manager sends it."""
    with supervised(tmp_path) as running:
        os.kill(running.worker(), signal.SIGTERM)
        running.process.terminate()

        assert running.end() == (0, "", "")


def test_a_worker_that_is_told_to_stop_by_itself_ends_its_parent_too(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        os.kill(running.worker(), signal.SIGTERM)

        assert running.end() == (0, "", "")


def test_a_parent_that_is_killed_takes_its_worker_with_it(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        worker = running.worker()
        running.process.kill()
        # Waits for the end of what holds the pipes: the worker.
        assert running.end() == (-signal.SIGKILL, "", "")
        until(lambda: not is_alive(worker))
        # It ended in order.
        assert not (tmp_path / "collector.json").exists()


ON_ITS_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_ctrl_c_in_a_terminal_stops_both_in_order(tmp_path: Path) -> None:
    """The terminal signals its whole foreground group; the worker must not be hit by that."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", ON_ITS_TERMINAL, *COMMAND, "--data", str(tmp_path), *FREE_PORTS]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            written = b""
            while b"Ctrl-C" not in written:
                written += os.read(ours, 4096)
            os.write(ours, b"\x03")
            assert process.wait(TIMEOUT_S) == 0
        finally:
            process.kill()
            os.close(ours)
    assert not (tmp_path / "collector.json").exists()


def test_a_port_in_use_ends_both_at_once_with_the_line_of_the_worker(tmp_path: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = str(other.getsockname()[1])
        words = ("--otlp-grpc-port", "0", "--otlp-http-port", "0", "--sql-port", port)
        with supervised(tmp_path, *words) as running:
            exit_code, out, errors = running.end()
    assert (exit_code, running.ready, out) == (1, "", "")
    [line] = errors.splitlines()
    assert f"port {port} on 127.0.0.1 is in use" in line


def test_without_a_supervisor_there_is_one_process(tmp_path: Path) -> None:
    with supervised(tmp_path, "--no-supervisor", *FREE_PORTS) as running:
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text()
        assert children == ""
        running.process.terminate()
        assert running.end() == (0, "", "")


def test_a_worker_without_a_parent_is_an_error_of_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--worker", "--data", str(tmp_path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("livemeter: --worker is for livemeter itself")


SUPERVISE = """
import sys
from livemeter_collector.supervise import Pauses, supervise
sys.exit(supervise([sys.executable, "-c", sys.argv[1]], Pauses(*map(float, sys.argv[2:]))))
"""
# A worker that notes that it was started, and with which options, before it does anything else.
WORKER = """
import asyncio, os, signal, sys
from livemeter_collector.supervise import Parent
with open("starts", "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
parent = Parent()
"""


@contextlib.contextmanager
def supervising(workdir: Path, worker: str, *pauses: float) -> Iterator[subprocess.Popen[str]]:
    """Supervise a worker that is a few lines of Python."""
    command = [sys.executable, "-c", SUPERVISE, WORKER + worker, *map(str, pauses)]
    with subprocess.Popen(
        command, cwd=workdir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def starts(workdir: Path) -> list[str]:
    path = workdir / "starts"
    return path.read_text().splitlines() if path.exists() else []


def test_a_worker_that_crashes_again_and_again_is_started_with_longer_and_longer_pauses(
    tmp_path: Path,
) -> None:
    with supervising(tmp_path, "os.kill(os.getpid(), signal.SIGSEGV)", 0.01, 0.04, 60) as process:
        until(lambda: len(starts(tmp_path)) >= 5)
        process.terminate()
        out, errors = process.communicate(timeout=TIMEOUT_S)

    says = [line.rpartition(" in ")[2] for line in errors.splitlines()]
    assert says[:4] == ["0.01 s", "0.02 s", "0.04 s", "0.04 s"]
    assert (process.returncode in {0, 139}, out) == (True, "")


def test_a_stop_ends_a_long_pause(tmp_path: Path) -> None:
    with supervising(tmp_path, "sys.exit(70)", 3600, 3600, 60) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == (
            "livemeter: the collector ended with exit code 70; it starts again in 3600 s\n"
        )
        process.send_signal(signal.SIGINT)

        assert process.communicate(timeout=TIMEOUT_S) == ("", "")
        assert (process.returncode, len(starts(tmp_path))) == (0, 1)


READY_AND_DEAD = """
import socket
port = int(sys.argv[1].partition("=")[2]) if len(sys.argv) > 1 else {port}
parent.say_ready(f"listening on {{port}}", "127.0.0.1", {{"--port": port}})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_ports_are_taken_again_while_they_are_free_and_others_are_told(tmp_path: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with supervising(tmp_path, READY_AND_DEAD.format(port=port), 0.01, 0.01, 60) as process:
        until(lambda: len(starts(tmp_path)) >= 2)
        with contextlib.closing(socket.create_server(("127.0.0.1", port))):
            seen = len(starts(tmp_path))
            # One may have been under way when the port was taken.
            until(lambda: "" in starts(tmp_path)[seen + 1 :])
        process.terminate()
        out, _ = process.communicate(timeout=TIMEOUT_S)

    first, second, *_ = starts(tmp_path)
    assert (first, second) == ("", f"--port={port}")
    # The same text is not printed a second time.
    assert out == f"listening on {port}\n"


def test_a_second_signal_ends_a_worker_that_hangs(tmp_path: Path) -> None:
    hangs = "signal.signal(signal.SIGTERM, signal.SIG_IGN); open('hangs', 'w').close(); signal.pause()"
    with supervising(tmp_path, hangs, 1, 1, 60) as process:
        until((tmp_path / "hangs").exists)
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.terminate()

        assert process.communicate(timeout=TIMEOUT_S) == ("", "")
        assert process.returncode == 128 + signal.SIGTERM


def test_a_closed_stdout_ends_both(tmp_path: Path) -> None:
    """``livemeter up | head -1``."""
    worker = """
stop = asyncio.Event()
async def serve():
    parent.stops(stop)
    while not os.path.exists("go"):
        await asyncio.sleep(0.01)
    parent.say_ready("ready", "127.0.0.1", {})
    await stop.wait()
    open("stopped in order", "w").close()
asyncio.run(serve())
"""
    with supervising(tmp_path, worker, 1, 1, 60) as process:
        assert process.stdout is not None
        process.stdout.close()
        (tmp_path / "go").touch()
        assert process.stderr is not None
        assert "BrokenPipeError" in process.stderr.read()
        assert process.wait(TIMEOUT_S) == 1
    assert (tmp_path / "stopped in order").exists()
