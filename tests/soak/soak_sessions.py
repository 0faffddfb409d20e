"""Ten thousand sessions and more in one process, and forks in the middle of them. Minutes, not seconds.

Not collected by itself: ``make soak`` names the file. What was measured is printed.
"""

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.genai import Client

from livemeter.observer.sessions import MAX_SESSIONS
from tests.app.test_many_sessions import (
    OF_A_CONNECTION,
    Dropped,
    living,
    observing,
    scripted_session,
    talk_in_a_block,
)
from tests.app.test_processes import assert_all_arrived_once, told_by
from tests.hooks.sockets import until

pytestmark = pytest.mark.timeout(3600)

SESSIONS = 10_000
AT_ONCE = 20
WARM = 1000
BYTES_OF_A_SESSION = 8 * 1024
"""What a session that is over may leave in the registries, until they are full."""

SERVER = """
import json, sys
from livemeter.testing import *
turn = (
    Expect("clientContent", or_closed=True),
    SendAudio(60),
    Usage(prompt={"TEXT": 12, "AUDIO": 25}, response={"AUDIO": 10},
          bundled_with={"serverContent": {"turnComplete": True}}),
)
script = Script("talk", (SetupComplete(), ResumptionUpdate(), Repeat(turn)))
with FakeLiveServer.running_in_thread([script], record_messages=False) as server:
    print(json.dumps(server.environment()), flush=True)
    sys.stdin.read()
"""


@contextmanager
def live_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fake Live server with a processor of its own; clients that are made meanwhile go there."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for name, value in json.loads(process.stdout.readline()).items():
            monkeypatch.setenv(name, value)
        yield
        process.communicate()


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096


def report(text: str) -> None:
    sys.stdout.write(f"{text}\n")


async def real_sessions(client: Client, count: int) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with free:
            await talk_in_a_block(client)

    await asyncio.gather(*(one() for _ in range(count)))
    await until(lambda: not living(OF_A_CONNECTION))


async def test_ten_thousand_real_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped = Dropped()
    with live_server(monkeypatch), observing(dropped):
        client = Client()
        await asyncio.create_task(real_sessions(client, WARM))
        warm = resident_bytes()
        for done in range(WARM, SESSIONS, WARM):
            await asyncio.create_task(real_sessions(client, WARM))
            report(f"{done + WARM} real sessions: {resident_bytes() / 2**20:.0f} MiB")
        grown = resident_bytes() - warm
        await client.aio.aclose()

    report(f"{grown / (SESSIONS - WARM):.0f} B a session, {dropped.count} events")
    assert grown < (SESSIONS - WARM) * BYTES_OF_A_SESSION


async def test_thirty_thousand_scripted_sessions_leave_what_the_registries_hold() -> None:
    sizes = {}
    with observing(Dropped()):
        for number in range(3 * SESSIONS):
            await asyncio.create_task(scripted_session(number))
            if number + 1 in {100, SESSIONS, 2 * SESSIONS, 3 * SESSIONS}:
                await until(lambda: not living(OF_A_CONNECTION))
                sizes[number + 1] = resident_bytes()
                report(f"{number + 1} scripted sessions: {sizes[number + 1] / 2**20:.0f} MiB")

    full, later = sizes[SESSIONS], sizes[3 * SESSIONS]
    assert full - sizes[100] < MAX_SESSIONS * BYTES_OF_A_SESSION
    # Sessions are kept by their handles, too, of which there may be ten times as many.
    assert later - full < 2 * SESSIONS * BYTES_OF_A_SESSION


FORKS = """
# OpenSSL's own locks do not survive a fork: no client is made, and with it no SSL context, while one happens.
making = threading.Lock()
os.register_at_fork(before=making.acquire, after_in_parent=making.release, after_in_child=making.release)
make_client = Client.__init__
def make(*arguments, **options):
    with making:
        make_client(*arguments, **options)
Client.__init__ = make

async def talk_on(stop):
    while not stop.is_set():
        await talk()

stop = threading.Event()
talking = [threading.Thread(target=asyncio.run, args=(talk_on(stop),)) for _ in range(3)]
for thread in talking:
    thread.start()
for number in range(100):
    child = os.fork()
    if not child:
        with livemeter.session(id=f"child {number}"):
            call()
        # Without the threads that only the parent has, and through atexit.
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in talking:
    thread.join()
"""


def test_a_hundred_forks_in_the_middle_of_sessions(tmp_path: Path) -> None:
    told = told_by(tmp_path, FORKS)

    assert_all_arrived_once(told, len(told.connections))
    assert len(told.numbers) == 101
    report(f"{len(told.connections)} connections around 100 forks")
