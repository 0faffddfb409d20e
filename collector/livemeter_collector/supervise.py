"""Starting the collector again when it dies: a small parent, and the process of its own that does the work.

The embedded engine runs in the collector's process; when it crashes, or when the kernel ends it because
memory ran out, the service ends with it. What was accepted is on disk, so a new process goes on where the
old one was. ``next_step`` decides, and is pure; ``supervise`` is the shell around it.

Parent and worker share a socket, which is the worker's stdin. The worker says on it that it is ready, or that
it cannot start for a reason that it has printed. The parent says nothing: when it closes its side, the worker
stops in order, and its death closes it as well. So a signal for the parent never becomes a second signal for
the worker, which is in a session of its own and hears nothing of Ctrl-C.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long to wait before a worker is started again, in seconds; twice as long each time."""

    first_s: float = 1.0
    most_s: float = 30.0
    healthy_s: float = 60.0
    """Ready for as long, it has recovered, and the next pause is the first again."""


AFTER_CRASH = "--after-crash"
"""What a worker is told when the one before it crashed: it looks at what that one had in its hands."""

_CRASHES = frozenset(
    {
        signal.SIGILL,
        signal.SIGTRAP,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGSEGV,
        signal.SIGSYS,
    }
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a worker ended."""

    returncode: int
    """Its exit code, or the number of the signal that it died of, negative."""
    ready_s: float | None = None
    """For how long it had been ready; None if it never was."""
    refused: bool = False
    """It said what is wrong, in a line of its own: a port in use, a directory held, a server not reached."""


@dataclass(frozen=True, slots=True)
class History:
    """What counts of the workers before."""

    was_ready: bool = False
    pause_s: float = 0.0
    """The last pause; 0 when there was none yet."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The parent ends as well."""

    exit_code: int
    says: str = ""


@dataclass(frozen=True, slots=True)
class Restart:
    """A worker is started again after a pause."""

    after_s: float
    says: str
    history: History


def next_step(ended: Ended, history: History, stopping: bool, pauses: Pauses) -> Finish | Restart:
    """Decide what follows the end of a worker.

    Args:
        ended: how it ended.
        history: of the workers before it.
        stopping: whether it had been told to stop.
        pauses: how long to wait.

    Returns:
        Finish when it ended in order, was told to stop, or never could start: what is wrong with an option
        is told at once. A service that was ready before is kept up whatever its worker ended of, since a port
        or a server may be free or back soon.
    """
    if ended.returncode == 0:
        return Finish(0)
    if stopping:
        return _stopped(ended)
    was_ready = history.was_ready or ended.ready_s is not None
    if ended.refused and not was_ready:
        return Finish(ended.returncode)
    pause_s = _pause(ended, history, pauses)
    says = f"livemeter: {_what_happened(ended)}; it starts again in {pause_s:g} s"
    return Restart(pause_s, says, History(was_ready, pause_s))


def has_crashed(ended: Ended) -> bool:
    """Tell whether a worker died of a fault of its own: not when somebody killed it."""
    return -ended.returncode in _CRASHES


def _stopped(ended: Ended) -> Finish:
    if ended.returncode > 0:
        return Finish(ended.returncode)
    if ended.ready_s is None and -ended.returncode in {signal.SIGINT, signal.SIGTERM}:
        # Signalled by whoever signalled the parent, before it listened for signals. It had taken nothing yet.
        return Finish(0)
    return Finish(128 - ended.returncode, f"livemeter: {_what_happened(ended)} while it was being stopped")


def _pause(ended: Ended, history: History, pauses: Pauses) -> float:
    recovered = ended.ready_s is not None and ended.ready_s >= pauses.healthy_s
    if recovered or not history.pause_s:
        return pauses.first_s
    return min(2 * history.pause_s, pauses.most_s)


def _what_happened(ended: Ended) -> str:
    if ended.refused:
        return "the collector could not start"
    if ended.returncode >= 0:
        return f"the collector ended with exit code {ended.returncode}"
    try:
        name = signal.Signals(-ended.returncode).name
    except ValueError:
        # Real-time signals have no name.
        name = f"signal {-ended.returncode}"
    hint = " (so the kernel ends it when memory runs out)" if name == "SIGKILL" else ""
    return f"the collector died of {name}{hint}"


def supervise(command: Sequence[str], pauses: Pauses | None = None) -> int:
    """Run a worker, and another whenever it dies, until SIGINT or SIGTERM; return the exit code.

    Args:
        command: starts a worker, which uses ``Parent``. When it is started again, the options with which the
            one before said that it was ready are appended, as far as their ports are still free.
        pauses: how long to wait before it is started again.
    """
    return asyncio.run(_Supervisor(command, pauses or Pauses()).run())


class _Supervisor:
    """One run of ``supervise``."""

    def __init__(self, command: Sequence[str], pauses: Pauses) -> None:
        self._command = command
        self._pauses = pauses
        self._stopping = asyncio.Event()
        self._hurried_by = 0
        self._worker: _Worker | None = None
        self._said: dict[str, Any] = {}

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number)
        history = History()
        crashed = False
        while True:
            ended = await self._one_worker([AFTER_CRASH] if crashed else [])
            crashed = has_crashed(ended)
            step = next_step(ended, history, self._stopping.is_set(), self._pauses)
            if self._hurried_by:
                return 128 + self._hurried_by
            if step.says:
                _say(sys.stderr.fileno(), step.says)
            if isinstance(step, Finish):
                return step.exit_code
            history = step.history
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), step.after_s)
                return 0

    def _on_signal(self, number: int) -> None:
        if self._stopping.is_set():
            # As without a parent: a second signal ends it at once. What was acknowledged is on disk.
            self._hurried_by = number
            if self._worker:
                self._worker.kill()
        self._stopping.set()
        if self._worker:
            self._worker.stop()

    async def _one_worker(self, more: Sequence[str]) -> Ended:
        command = [*self._command, *more, *_ports_again(self._said)]
        worker = self._worker = await _Worker.start(command)
        if self._stopping.is_set():
            worker.stop()
        try:
            return await worker.ended(self._on_ready)
        finally:
            # Only when nobody can be told that it is ready: it must not stay behind.
            await worker.stopped()
            self._worker = None

    def _on_ready(self, said: dict[str, Any]) -> None:
        # After a restart the same again: told once, unless other ports had to be taken.
        if said != self._said:
            _say(sys.stdout.fileno(), str(said["text"]))
        self._said = said


class _Worker:
    """A running worker, as the parent sees it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._ready_at: float | None = None
        self._refused = False

    @classmethod
    async def start(cls, command: Sequence[str]) -> "_Worker":
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            process = await asyncio.create_subprocess_exec(
                *command, stdin=theirs.fileno(), start_new_session=True
            )
        return cls(process, reader, writer)

    def stop(self) -> None:
        """Tell it to stop in order; harmless when it was told, or has ended."""
        with contextlib.suppress(OSError):
            self._writer.write_eof()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self, on_ready: Callable[[dict[str, Any]], None]) -> Ended:
        """Wait until it has ended; calls ``on_ready`` with what it says when it is ready."""
        loop = asyncio.get_running_loop()
        while line := await self._line():
            said: dict[str, Any] = json.loads(line)
            if "text" in said:
                self._ready_at = loop.time()
                on_ready(said)
            else:
                self._refused = True
        returncode = await self._process.wait()
        ready_s = None if self._ready_at is None else loop.time() - self._ready_at
        return Ended(returncode, ready_s, self._refused)

    async def stopped(self) -> None:
        """Tell it to stop and wait until it has."""
        self.stop()
        await self._process.wait()
        self._writer.close()

    async def _line(self) -> bytes:
        line = b""
        with contextlib.suppress(ConnectionError):
            line = await self._reader.readline()
        # Cut short, the worker died over it.
        return line if line.endswith(b"\n") else b""


class NotSupervisedError(Exception):
    """This process's stdin is not the socket of a parent."""


class Parent:
    """The parent, as its worker sees it."""

    def __init__(self) -> None:
        """Take over stdin, which must be the parent's socket.

        Raises:
            NotSupervisedError: it is something else.
        """
        try:
            self._socket = socket.socket(fileno=os.dup(0))
        except OSError as error:
            raise NotSupervisedError("a worker is started by its supervisor alone") from error
        # Nobody else may read from the socket or write to it.
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def say_ready(self, text: str, host: str, ports: Mapping[str, int]) -> None:
        """Tell the parent what to print, and which ports, by their options, a later worker should take."""
        self._send({"text": text, "host": host, "ports": dict(ports)})

    def say_refused(self) -> None:
        """Tell the parent that this process ends of an error that stderr tells in a line."""
        self._send({})

    def stops(self, until: asyncio.Event) -> None:
        """Set the event as soon as the parent says stop, or is gone."""
        loop = asyncio.get_running_loop()

        def on_readable() -> None:
            with contextlib.suppress(ConnectionError):
                if self._socket.recv(1024):
                    return
            loop.remove_reader(self._socket)
            until.set()

        loop.add_reader(self._socket, on_readable)

    def _send(self, message: dict[str, Any]) -> None:
        # A parent that is gone is told nothing; the worker stops for that reason anyway.
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(message).encode() + b"\n")


def _ports_again(said: Mapping[str, Any]) -> list[str]:
    """Return the options that make a worker listen where the one before did: clients know these ports."""
    ports: dict[str, int] = said.get("ports", {})
    return [f"{option}={port}" for option, port in ports.items() if _is_free(str(said["host"]), port)]


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener, contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        return True
    return False


def _say(descriptor: int, text: str) -> None:
    """Write a text at once, with nothing left in a buffer that the end would try to write again."""
    os.write(descriptor, f"{text}\n".encode())
