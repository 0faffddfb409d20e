"""Processes forked, spawned, pooled, ended and killed: every event arrives, once, and says whose it is.

The applications are processes of their own with the one line in them, talking to the fake Live server and
exporting to a collector on a real socket. Nothing is exported before somebody flushes or leaves, so that what
is lost at an exit is lost in every run. The fake server's record of what crossed its sockets is the oracle.
"""

import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from livemeter.testing import CertificateAuthority, Connection, FakeLiveServer
from livemeter.vocabulary import Attribute, Event, Metric
from tests.instrumentation.otlp_server import OtlpServer, attributes_of

LATER_MS = "3600000"
TIMEOUT_S = 60
PATIENT = {
    "LIVEMETER_EXPORT_INTERVAL_MS": LATER_MS,
    "LIVEMETER_METRIC_INTERVAL_MS": LATER_MS,
    "LIVEMETER_FRAMES_INTERVAL_MS": LATER_MS,
    "LIVEMETER_SHUTDOWN_TIMEOUT_MS": "20000",
}
"""Nothing leaves by itself."""

USAGE_TOKENS = {"input": 37, "output": 10}
"""What one turn of the fake server's default script uses."""

AGENT = """
import livemeter.auto  # noqa: F401, I001 - the one line; before anything else

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

from google.genai import Client, types

import livemeter


def connecting(client):
    return client.aio.live.connect(model="gemini-3.8-live")


async def turn(live):
    content = types.Content(role="user", parts=[types.Part(text="hello")])
    await live.send_client_content(turns=content, turn_complete=True)
    async for _ in live.receive():
        pass


async def talk():
    client = Client()
    async with connecting(client) as live:
        await turn(live)
    await client.aio.aclose()


def call(*_):
    asyncio.run(talk())


class Caller:
    # A session that stays open, on an event loop in a thread of its own.

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.client = Client()
        self.opening = connecting(self.client)
        self.live = self.run(self.opening.__aenter__())

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def hang_up(self):
        self.run(self.opening.__aexit__(None, None, None))
"""


@dataclass(frozen=True)
class Told:
    """One application's end, what it told and what the Live server saw of it."""

    status: int
    errors: str
    sink: OtlpServer
    connections: list[Connection]

    @property
    def events(self) -> list[Mapping[str, Any]]:
        return [{**attributes_of(each), "event": each.event_name} for each in self.sink.log_records]

    def of(self, event: Event) -> list[Mapping[str, Any]]:
        return [told for told in self.events if told["event"] == event]

    @property
    def numbers(self) -> dict[str, list[int]]:
        """The numbers that each emitter gave its events, sorted."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for told in self.events:
            numbers[told[Attribute.EMITTER_ID]].append(told[Attribute.EMITTER_SEQ])
        return {emitter: sorted(each) for emitter, each in numbers.items()}

    @property
    def emitters(self) -> dict[str, set[str]]:
        """Who told of each connection."""
        emitters: dict[str, set[str]] = defaultdict(set)
        for told in self.events:
            emitters[told[Attribute.CONNECTION_ID]].add(told[Attribute.EMITTER_ID])
        return emitters

    @property
    def frames(self) -> Counter[str]:
        """Frames told, by the session id that the server gave the connection."""
        names = {
            each[Attribute.CONNECTION_ID]: each[Attribute.GOOGLE_SESSION_ID]
            for each in self.of(Event.CONNECTION_STARTED)
        }
        frames: Counter[str] = Counter()
        for told in self.of(Event.FRAMES):
            frames[names[told[Attribute.CONNECTION_ID]]] += told[Attribute.FRAMES_COUNT]
        return frames

    @property
    def crossed(self) -> Counter[str]:
        """Frames that the server saw, by the same ids."""
        return Counter(
            {f"session-{each.number}": len(each.received) + len(each.sent) for each in self.connections}
        )

    def sum_of(self, metric: Metric) -> float:
        """A metric's last value, summed over all processes and attributes."""
        last: dict[tuple[str, str], float] = {}
        for body in self.sink.bodies("/v1/metrics"):
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                instance = str(resource.resource.attributes)
                for each in (each for scope in resource.scope_metrics for each in scope.metrics):
                    for point in each.sum.data_points if each.name == metric else ():
                        last[instance, str(point.attributes)] = point.as_int
        return sum(last.values())


@contextmanager
def started(folder: Path, script: str, *arguments: str, **environment: str) -> Iterator[Any]:
    """Start an application; yields what waits for its end and returns what it told."""
    program = folder / "app.py"
    program.write_text(f"{AGENT}\n{script}")
    sink = OtlpServer()
    with sink.running(), FakeLiveServer.running_in_thread(authority=AUTHORITY, raise_errors=False) as server:
        process = subprocess.Popen(
            [sys.executable, str(program), *arguments],
            env={
                **_clean(),
                **server.environment(),
                **PATIENT,
                "LIVEMETER_ENDPOINT": sink.endpoint,
                **environment,
            },
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )

        def ended() -> Told:
            _, errors = process.communicate(timeout=TIMEOUT_S)
            return Told(process.returncode, errors, sink, server.connections)

        try:
            yield ended
        finally:
            process.kill()
            process.wait()


AUTHORITY = CertificateAuthority()


def _clean() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LIVEMETER_", "OTEL_"))}
    root = Path(__file__).parents[2]
    return {**kept, "LIVEMETER_STRICT": "1", "PYTHONPATH": str(root / "instrumentation")}


def told_by(folder: Path, script: str, *arguments: str, **environment: str) -> Told:
    with started(folder, script, *arguments, **environment) as ended:
        told: Told = ended()
        assert told.status == 0, told.errors
        return told


def assert_all_arrived_once(told: Told, connections: int) -> None:
    """Every frame and every end of every connection, under one emitter each, numbered without a gap."""
    assert len(told.connections) == connections
    assert told.frames == told.crossed
    for event in (Event.CONNECTION_STARTED, Event.CONNECTION_CLOSED):
        assert len(told.of(event)) == connections
    assert all(len(emitters) == 1 for emitters in told.emitters.values())
    assert all(numbers == list(range(len(numbers))) for numbers in told.numbers.values())


def assert_counted_once(told: Told, turns: int) -> None:
    """The same in metrics, which every process sums up for itself."""
    assert told.sum_of(Metric.INPUT_TOKENS) == turns * USAGE_TOKENS["input"]
    assert told.sum_of(Metric.OUTPUT_TOKENS) == turns * USAGE_TOKENS["output"]
    assert told.sum_of(Metric.CLOSES) == len(told.connections)
    assert told.sum_of(Metric.CONNECTIONS_ACTIVE) == 0


# Fork.

FORK = """
caller = Caller()
caller.run(turn(caller.live))
assert livemeter.flush(20_000)
caller.run(turn(caller.live))  # Its events wait in the queue, its last frames beside the socket.

for leaving in ("returning", "sys.exit", "os._exit"):
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        continue
    call()
    if leaving == "os._exit":
        assert livemeter.flush(20_000)
        os._exit(0)
    sys.exit(0) if leaving == "sys.exit" else None
    break
else:
    caller.run(turn(caller.live))
    caller.hang_up()
"""


def test_what_a_process_had_waiting_when_it_was_forked_is_told_by_itself_alone(tmp_path: Path) -> None:
    told = told_by(tmp_path, FORK)

    assert_all_arrived_once(told, connections=4)
    assert_counted_once(told, turns=3 + 3)
    assert len(told.numbers) == 4


LOCKED = """
import gc

caller = Caller()
Lock, RLock = type(threading.Lock()), type(threading.RLock())


def parts(thing):
    names = [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())]
    return [getattr(thing, name, None) for name in names]


modules = [module for name, module in sys.modules.items() if name.startswith("livemeter")]
ours = [thing for thing in gc.get_objects() if str(type(thing).__module__).startswith("livemeter")]
mine = [thing for thing in ours if type(thing).__name__ not in {"Session", "Ledger"}]
found = [part for thing in (*modules, *mine) for part in parts(thing)]
locks = {id(part): part for part in found if isinstance(part, (Lock, RLock))}
assert len(locks) >= 7, locks
held, forked = threading.Event(), threading.Event()


def hold():
    for lock in locks.values():
        assert lock.acquire(timeout=10)
    held.set()
    forked.wait()
    for lock in locks.values():
        lock.release()


threading.Thread(target=hold).start()
held.wait()
child = os.fork()
forked.set()
if child:
    assert os.waitpid(child, 0)[1] == 0
    caller.hang_up()
else:
    with livemeter.session(id="mine") as session:
        livemeter.on_budget(usd=1, call=print)
        call()
"""


def test_a_lock_that_another_thread_held_at_the_fork_stops_nobody(tmp_path: Path) -> None:
    """A thread that was in the middle of something of ours exists in the parent alone."""
    told = told_by(tmp_path, LOCKED)

    assert_all_arrived_once(told, connections=2)


# Children of multiprocessing, which leave without what others do at an exit.

CHILDREN = """
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    call()
    children = [context.Process(target=call) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(call, range(2))) == [None, None]
    call()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_tell_what_waits_when_they_leave(tmp_path: Path, method: str) -> None:
    told = told_by(tmp_path, CHILDREN, method)

    assert_all_arrived_once(told, connections=6)
    assert_counted_once(told, turns=6)
    # The parent, two processes, and the workers of the pool that had something to do.
    assert len(told.numbers) in {4, 5}


WORKER = """
import importlib

def job():
    # As LiveKit's job processes do: signals are for the parent, and no asyncio.run.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(talk())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def supervise(context):
    jobs = [context.Process(target=job, name="job_proc") for _ in range(3)]
    for each in jobs:
        each.start()
    for each in jobs:
        await asyncio.to_thread(each.join)
        assert each.exitcode == 0


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    if sys.argv[2:]:
        context.set_forkserver_preload(sys.argv[2:])
    asyncio.run(supervise(context))
"""


@pytest.mark.parametrize(
    "arguments", [("spawn",), ("forkserver",), ("forkserver", "livemeter.auto")], ids=str
)
def test_job_processes_of_a_worker_tell_what_waits_when_they_leave(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Also when the server that forks them has the one line loaded, and threads of ours with it."""
    told = told_by(tmp_path, WORKER, *arguments)

    assert_all_arrived_once(told, connections=3)
    assert_counted_once(told, turns=3)
    assert len(told.numbers) == 3


# Exits.

EXITS = {
    "returning": "call()",
    "sys.exit": "call()\nsys.exit(3)",
    "an exception": "call()\nraise RuntimeError('the application fails')",
    "asyncio.run with a session open": """
async def main():
    global opening, live
    opening = connecting(Client())
    live = await opening.__aenter__()
    await turn(live)

asyncio.run(main())
""",
    "SIGTERM handled by SystemExit": """
async def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
    async with connecting(Client()) as live:
        await turn(live)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

asyncio.run(main())
""",
    "a loop that was dropped": """
loop = asyncio.new_event_loop()
opening = connecting(Client())
live = loop.run_until_complete(opening.__aenter__())
loop.run_until_complete(turn(live))
""",
    "a loop that runs on in a thread": "caller = Caller()\ncaller.run(turn(caller.live))",
    "SIGKILL": """
caller = Caller()
caller.run(turn(caller.live))
assert livemeter.flush(20_000)
caller.run(turn(caller.live))
os.kill(os.getpid(), signal.SIGKILL)
""",
}
STATUS = {"sys.exit": 3, "an exception": 1, "SIGTERM handled by SystemExit": 15, "SIGKILL": -signal.SIGKILL}
WITHOUT_AN_END = {"a loop that was dropped", "a loop that runs on in a thread"}


@pytest.fixture(scope="module")
def exits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """How every application ended; they run at once, because most of their time is Python's start."""
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(started(tmp_path_factory.mktemp("exit"), script))
            for name, script in EXITS.items()
        }
        return {name: ended() for name, ended in running.items()}


@pytest.mark.parametrize("name", [name for name in EXITS if name != "SIGKILL"])
def test_what_waits_at_a_normal_exit_is_told(exits: dict[str, Told], name: str) -> None:
    told = exits[name]

    assert told.status == STATUS.get(name, 0), told.errors
    assert ("the application fails" in told.errors) == (name == "an exception")
    assert told.frames == told.crossed
    assert [each[Attribute.INPUT_TOKENS] for each in told.of(Event.USAGE)] == [USAGE_TOKENS["input"]]
    assert [numbers == list(range(len(numbers))) for numbers in told.numbers.values()] == [True]
    assert told.sum_of(Metric.INPUT_TOKENS) == USAGE_TOKENS["input"]
    # A socket that is still open when the process ends has had no end that anybody could see.
    assert len(told.of(Event.CONNECTION_CLOSED)) == (name not in WITHOUT_AN_END)


def test_a_process_that_is_killed_loses_what_waited_and_no_more(exits: dict[str, Told]) -> None:
    told = exits["SIGKILL"]

    assert told.status == -signal.SIGKILL
    [numbers] = told.numbers.values()
    assert numbers == list(range(len(numbers)))
    assert [each[Attribute.INPUT_TOKENS] for each in told.of(Event.USAGE)] == [USAGE_TOKENS["input"]]
    assert told.of(Event.CONNECTION_CLOSED) == []
