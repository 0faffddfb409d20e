"""Pings and the loop's lag, watched on real connections and real loops whose clock is turned by hand."""

import asyncio
import contextvars
import gc
import os
import statistics
import subprocess
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConcurrencyError, ConnectionClosed, ConnectionClosedError

from livemeter import guard
from livemeter.hooks.health import ConnectionHealth
from livemeter.hooks.loop_lag import INTERVAL_S, LoopLag
from livemeter.hooks.pings import MAX_ROUND_TRIPS, PingSettings, PingWatch, read_ping_settings
from livemeter.observer.facts import Health
from tests.hooks.sockets import Quiet, drained, mute_server, serving, until


@pytest.fixture(autouse=True)
def strict_guard() -> Iterator[None]:
    guard.strict(True)
    yield
    guard.strict(False)


async def idle(connection: ServerConnection) -> None:
    await connection.wait_closed()


# Pings.


async def test_the_library_s_own_pings_are_counted_with_their_round_trips() -> None:
    async with serving(idle) as url, connect(url, **{**Quiet, "ping_interval": 0.001}) as connection:
        health = ConnectionHealth()
        health.attach(connection)
        round_trips = []
        ping = connection.ping

        async def noted_ping(data: bytes | None = None) -> Awaitable[float]:
            round_trips.append(await ping(data))
            return round_trips[-1]

        # Laid over ours by a stranger: what it notes is the oracle.
        connection.ping = noted_ping  # type: ignore[method-assign, assignment]
        await until(lambda: len(round_trips) >= 5)
        await until(lambda: all(waiting.done() for waiting in round_trips))  # type: ignore[attr-defined]
        fared = health.facts()
        latencies_ms = [await waiting * 1000 for waiting in round_trips]

    assert (fared.pings_sent, fared.pings_missed) == (len(latencies_ms), 0)
    assert fared.ping_p50_ms == pytest.approx(statistics.median(latencies_ms))
    assert fared.ping_max_ms == pytest.approx(max(latencies_ms))


async def test_a_keepalive_that_times_out_has_missed_its_ping() -> None:
    async with mute_server() as server:
        options = {**Quiet, "ping_interval": 0.01, "ping_timeout": 0.01, "close_timeout": 0.01}
        async with connect(server.url, **options) as connection:
            health = ConnectionHealth()
            health.attach(connection)
            await drained(connection)

    assert server.pings == 1
    assert health.facts() == Health(pings_sent=1, pings_missed=1)


async def test_without_a_time_out_every_ping_that_was_overtaken_is_missed() -> None:
    async with mute_server() as server:
        options = {**Quiet, "ping_interval": 0.005, "ping_timeout": None, "close_timeout": 0.01}
        async with connect(server.url, **options) as connection:
            health = ConnectionHealth()
            health.attach(connection)
            await until(lambda: server.pings >= 3)
            connection.transport.abort()
            await connection.wait_closed()

    assert health.facts() == Health(pings_sent=server.pings, pings_missed=server.pings)


async def test_ping_s_results_and_errors_are_the_library_s() -> None:
    async with serving(idle) as url, connect(url, **Quiet) as connection:
        health = ConnectionHealth()
        health.attach(connection)
        waiting = await connection.ping(b"one")
        with pytest.raises(ConcurrencyError):
            await connection.ping(b"one")
        with pytest.raises(TypeError):
            await connection.ping(1)  # type: ignore[arg-type]
        assert isinstance(waiting, asyncio.Future)
        assert await waiting == pytest.approx(connection.latency)
        await connection.close()
        with pytest.raises(ConnectionClosed):
            await connection.ping()

    # Those that raised were never sent.
    assert (health.facts().pings_sent, health.facts().pings_missed) == (1, 0)


async def test_a_ping_that_is_cancelled_is_cancelled() -> None:
    async with serving(idle) as url, connect(url, **Quiet) as connection:
        ConnectionHealth().attach(connection)
        pinging = asyncio.create_task(connection.ping())
        await asyncio.sleep(0)
        pinging.cancel()
        await asyncio.wait([pinging])

        assert await (await connection.ping()) > 0


async def test_no_ping_is_nothing_missed_and_nothing_measured() -> None:
    async with serving(idle) as url, connect(url, **Quiet) as connection:
        health = ConnectionHealth()
        health.attach(connection)

    assert health.facts() == Health(pings_sent=0, pings_missed=0)


async def test_what_is_switched_off_is_not_known() -> None:
    async with serving(idle) as url, connect(url, **Quiet) as connection:
        health = ConnectionHealth(pings=False)
        health.attach(connection)
        await (await connection.ping())

        assert "ping" not in vars(connection)
    assert health.facts() == Health()


async def test_a_median_is_that_of_the_latest_round_trips_and_the_maximum_that_of_all() -> None:
    watch = PingWatch()
    connection = Answering([9.0] + [0.010, 0.020, 0.030, 0.040] * (MAX_ROUND_TRIPS // 4))
    watch.attach(connection)
    for _ in range(1 + MAX_ROUND_TRIPS):
        await connection.ping()

    assert (watch.sent, watch.missed) == (1 + MAX_ROUND_TRIPS, 0)
    assert watch.median_ms == pytest.approx(25)
    assert watch.max_ms == pytest.approx(9000)


async def test_a_pong_that_comes_after_the_next_ping_is_no_round_trip() -> None:
    watch = PingWatch()
    connection = Answering([])
    watch.attach(connection)
    first = await connection.ping()
    second = await connection.ping()
    first.set_result(30.0)
    second.set_result(0.5)

    assert (watch.sent, watch.missed, watch.max_ms) == (2, 1, 500)


class Answering:
    """What pings a connection that knows its round trips beforehand; beyond them the pongs are late."""

    def __init__(self, round_trips_s: list[float]) -> None:
        self._round_trips_s = iter(round_trips_s)

    async def ping(self) -> asyncio.Future[float]:
        waiting: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        round_trip_s = next(self._round_trips_s, None)
        if round_trip_s is not None:
            waiting.set_result(round_trip_s)
        return waiting


async def test_ping_settings_in_effect_are_read_from_the_connection() -> None:
    async with serving(idle) as url:
        async with connect(url, proxy=None) as connection:
            assert read_ping_settings(connection) == PingSettings(20.0, 20.0)
        async with connect(url, proxy=None, ping_interval=None, ping_timeout=None) as connection:
            assert read_ping_settings(connection) == PingSettings(0.0, 0.0)
    assert read_ping_settings(object()) == PingSettings(None, None)


# The loop's lag.


class HandTurnedLoop(asyncio.SelectorEventLoop):
    """A real event loop whose clock goes on only when the test says so."""

    clock = 1000.0

    def time(self) -> float:
        return self.clock


async def turn_clock(seconds: float) -> None:
    """Let the time pass at once, as if the loop had been blocked, and let what is due run."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, HandTurnedLoop)
    loop.clock += seconds
    for _ in range(3):
        await asyncio.sleep(0)


def in_hand_turned_loop(scenario: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario()

    with asyncio.Runner(loop_factory=HandTurnedLoop) as runner:
        runner.run(run())


def test_lag_is_how_late_the_timer_came_and_the_longest_counts() -> None:
    async def scenario() -> None:
        meter = LoopLag().start()
        assert meter.max_ms is None
        await turn_clock(INTERVAL_S)
        assert meter.max_ms == pytest.approx(0)
        await turn_clock(INTERVAL_S + 0.5)
        await turn_clock(INTERVAL_S + 0.1)
        assert meter.max_ms == pytest.approx(500)
        meter.stop()

    in_hand_turned_loop(scenario)


def test_what_blocked_the_loop_before_the_connection_opened_is_not_its_own() -> None:
    async def scenario() -> None:
        lag = LoopLag()
        first = lag.start()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, HandTurnedLoop)
        loop.clock += INTERVAL_S + 2
        second = lag.start()
        loop.clock += 0.25
        await turn_clock(0)
        assert first.max_ms == pytest.approx(2250)
        assert second.max_ms == pytest.approx(250)
        first.stop()
        second.stop()

    in_hand_turned_loop(scenario)


def test_a_block_that_lasts_until_the_connection_s_end_is_measured_at_its_end() -> None:
    async def scenario() -> None:
        health = ConnectionHealth(LoopLag(), pings=False)
        health.attach(None)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, HandTurnedLoop)
        loop.clock += INTERVAL_S + 3
        assert health.facts().loop_lag_max_ms == pytest.approx(3000)
        # It is told once; what comes later is another connection's.
        loop.clock += 5
        assert health.facts().loop_lag_max_ms == pytest.approx(3000)

    in_hand_turned_loop(scenario)


def test_one_timer_serves_all_connections_of_a_loop_and_ends_with_the_last() -> None:
    lags: list[float] = []

    async def scenario() -> None:
        lag = LoopLag(lags.append)
        meters = [lag.start() for _ in range(3)]
        assert len(timers()) == 1
        await turn_clock(INTERVAL_S + 1)
        for meter in meters[:2]:
            meter.stop()
            meter.stop()
        await turn_clock(INTERVAL_S)
        assert len(timers()) == 1
        meters[2].stop()
        assert timers() == []
        await turn_clock(INTERVAL_S)
        again = lag.start()
        await turn_clock(INTERVAL_S + 0.5)
        again.stop()

    in_hand_turned_loop(scenario)
    assert lags == pytest.approx([1, 0, 0.5])


def timers() -> list[object]:
    """What the running loop will call later; there is no public name for it."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [timer for timer in scheduled if not timer.cancelled()]


def test_loops_of_several_threads_are_measured_apart() -> None:
    lag = LoopLag()
    found: dict[int, float | None] = {}
    together = threading.Barrier(2)

    def thread(late_s: int) -> None:
        async def scenario() -> None:
            meter = lag.start()
            together.wait()
            await turn_clock(INTERVAL_S + late_s)
            together.wait()
            found[late_s] = meter.max_ms
            meter.stop()

        in_hand_turned_loop(scenario)

    threads = [threading.Thread(target=thread, args=(late_s,)) for late_s in (1, 2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert found == {1: pytest.approx(1000), 2: pytest.approx(2000)}


def test_a_watch_that_nobody_stopped_keeps_no_loop_from_ending_nor_from_being_freed() -> None:
    lag = LoopLag()
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def abandoned() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        lag.start()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(abandoned())
    gc.collect()

    assert loops[0]() is None


def test_a_lag_is_told_outside_the_context_of_whoever_came_first() -> None:
    variable = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []

    async def scenario() -> None:
        variable.set("the first connection's")
        meter = LoopLag(lambda _: seen.append(variable.get())).start()
        await turn_clock(INTERVAL_S)
        meter.stop()

    in_hand_turned_loop(scenario)
    assert seen == ["none"]


def test_an_error_of_whoever_takes_the_lag_ends_no_measurement() -> None:
    guard.strict(False)

    def broken(_: float) -> None:
        raise RuntimeError("the metric is broken")

    async def scenario() -> None:
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        meter = LoopLag(broken).start()
        await turn_clock(INTERVAL_S)
        await turn_clock(INTERVAL_S + 1)
        assert meter.max_ms == pytest.approx(1000)
        assert errors == []
        meter.stop()

    in_hand_turned_loop(scenario)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_measures_its_own_loop_and_tells_nothing_of_its_parent_s() -> None:
    # In a process of its own, because a fork of this one would carry its threads' locks along.
    command = [sys.executable, "-c", FORKED]
    forked = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)

    assert forked.stdout.splitlines() == ["child []", "child measured", "parent measured"]


FORKED = """
import asyncio, os
from livemeter.hooks.loop_lag import INTERVAL_S, LoopLag

told = []
lag = LoopLag(told.append)
loop = asyncio.new_event_loop()

async def opened():
    return lag.start()

async def measured():
    while not told:
        await asyncio.sleep(0.01)

meter = loop.run_until_complete(opened())
if os.fork() == 0:
    # The child runs the loop that it inherited until the parent's timer is due.
    loop.run_until_complete(asyncio.sleep(INTERVAL_S * 1.1))
    print("child", told, flush=True)
    own = loop.run_until_complete(opened())
    loop.run_until_complete(measured())
    print("child measured", flush=True)
    os._exit(0)
os.wait()
loop.run_until_complete(measured())
print("parent measured")
meter.stop()
loop.close()
"""


async def test_a_connection_with_both_watches_leaves_nothing_behind() -> None:
    lag = LoopLag()
    tasks = asyncio.all_tasks()
    async with serving(idle) as url, connect(url, **Quiet) as connection:
        health = ConnectionHealth(lag)
        health.attach(connection)
        await (await connection.ping())
    fared = health.facts()

    assert (fared.pings_sent, fared.pings_missed) == (1, 0)
    assert timers() == []
    assert asyncio.all_tasks() == tasks


async def test_a_dead_connection_s_last_ping_is_missed_before_anybody_has_told_the_watch() -> None:
    async with mute_server(abort=True) as server, connect(server.url, **Quiet) as connection:
        health = ConnectionHealth()
        health.attach(connection)
        waiting = await connection.ping()
        with pytest.raises(ConnectionClosedError):
            await connection.recv()

        assert health.facts() == Health(pings_sent=1, pings_missed=1)
        assert isinstance(waiting, asyncio.Future)


async def test_the_end_leaves_a_connection_as_it_was_found() -> None:
    async with serving(idle) as url, connect(url, **Quiet) as connection:
        health = ConnectionHealth(LoopLag())
        health.attach(connection)
        assert "ping" in vars(connection)
        health.facts()

        assert "ping" not in vars(connection)
        assert health.facts().pings_sent == 0


async def test_the_end_leaves_what_a_stranger_laid_over_ours() -> None:
    async with serving(idle) as url, connect(url, **Quiet) as connection:
        health = ConnectionHealth()
        health.attach(connection)
        ours = connection.ping

        async def theirs() -> Awaitable[float]:
            return await ours()

        connection.ping = theirs  # type: ignore[method-assign, assignment]
        health.facts()

        assert connection.ping is theirs
        assert await (await connection.ping()) > 0
