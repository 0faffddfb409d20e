"""The short way of audio ends where the long way ends, whatever is sent."""

import base64
import dataclasses
import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.observer.facts import ConnectionClosed, Fact, FramesRecorded, TurnEnded, UsageReported
from livemeter.observer.lane import MAX_WAITING
from livemeter.vocabulary import Direction
from tests.observer import harness
from tests.observer.harness import Line, Process

RAW = tuple[Direction, str | bytes]


class Owner(Line):
    """Does as the owner of a socket does: offers each message to the short way first."""

    taken = 0

    def raw(self, direction: Direction, raw: str | bytes, *, after_ms: float = 0) -> list[Fact]:
        self.clock.wait(after_ms)
        sent = direction is Direction.SENT
        take = self.observer.take_sent if sent else self.observer.take_received
        if take(raw, self.clock.now.monotonic_ns):
            self.taken += 1
            return []
        return super().raw(direction, raw)


def pcm(size: int, seed: int = 0) -> str:
    return base64.b64encode(random.Random(seed).randbytes(size)).decode()


def spoken(data: str, rate: int = 24_000, **more: Any) -> bytes:
    blob = {"mimeType": f"audio/pcm;rate={rate}", "data": data}
    return json.dumps({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}, **more}}).encode()


def microphone(data: str, rate: int = 16_000) -> str:
    return json.dumps({"realtime_input": {"audio": {"data": data, "mime_type": f"audio/pcm;rate={rate}"}}})


def chunks(data: str) -> str:
    chunk = {"data": data, "mime_type": "audio/pcm;rate=16000"}
    return json.dumps({"realtime_input": {"media_chunks": [chunk]}})


SIZES = st.sampled_from([2, 320, 640, 960, 961, 962])
AUDIO = st.one_of(
    SIZES.map(lambda size: (Direction.RECEIVED, spoken(pcm(size, size)))),
    SIZES.map(lambda size: (Direction.SENT, microphone(pcm(size, size)))),
    SIZES.map(lambda size: (Direction.SENT, chunks(pcm(size, size)))),
)
NEARLY = st.sampled_from(
    [
        (Direction.RECEIVED, spoken(pcm(960).replace("/", "\\/"))),
        (Direction.RECEIVED, spoken(pcm(960)).replace(b"/", b"\\/")),
        (Direction.RECEIVED, spoken(pcm(960), 16_000)),
        (Direction.RECEIVED, spoken(pcm(960), turnComplete=True)),
        (Direction.RECEIVED, spoken(pcm(960), outputTranscription={"text": "hello"})),
        (Direction.RECEIVED, spoken(pcm(960))[:-1] + b',"usageMetadata":{"promptTokenCount":7}}'),
        (Direction.RECEIVED, spoken(pcm(960)).decode()),
        (Direction.RECEIVED, spoken(pcm(960))[:-3]),
        (Direction.RECEIVED, spoken(pcm(960)).replace(b"/", b"\xff")),
        (Direction.RECEIVED, spoken('","turnComplete":true,"x":"')),
        (Direction.SENT, microphone(pcm(640)).encode()),
        (Direction.SENT, microphone("é" * 100)),
        (Direction.SENT, microphone("", 16_000)),
    ]
)
OTHER = st.sampled_from(
    [
        (Direction.SENT, json.dumps(message))
        for message in (harness.ask(), harness.ACTIVITY_START, harness.ACTIVITY_END, harness.REALTIME_TEXT)
    ]
    + [
        (Direction.RECEIVED, json.dumps(message).encode())
        for message in (
            harness.TURN_COMPLETE,
            harness.GENERATION_COMPLETE,
            harness.INTERRUPTED,
            harness.heard("hi"),
            harness.usage(100, 20),
            {"goAway": {"timeLeft": "50s"}},
        )
    ]
)
SCRIPTS = st.lists(st.tuples(st.one_of(AUDIO, AUDIO, AUDIO, NEARLY, OTHER), st.integers(0, 90)), max_size=60)


def played(kind: type[Line], script: list[tuple[RAW, int]], flush_every: int) -> Line:
    process = Process()
    line = process.dial(frames_interval_ms=1e9)
    line.__class__ = kind
    line.client(harness.setup())
    line.server(harness.SETUP_COMPLETE)
    for number, ((direction, raw), after_ms) in enumerate(script):
        line.raw(direction, raw, after_ms=after_ms)
        if number % flush_every == flush_every - 1:
            line.flush()
    line.close(after_ms=5)
    return line


def rows(facts: list[FramesRecorded]) -> list[tuple[Any, ...]]:
    """Every frame: number, time and all of its columns."""
    found: list[tuple[Any, ...]] = []
    for fact in facts:
        times = [fact.base_ms + offset for offset in itertools.accumulate(fact.offsets_ms)]
        numbers = itertools.count(fact.first_seq)
        columns = (fact.directions, fact.kinds, fact.contents, fact.bytes, fact.audio_ms, fact.sample_rates)
        found += zip(numbers, times, *columns, fact.turns, strict=False)
    return found


def told(line: Line) -> list[Any]:
    """Every fact but frames, with sums of milliseconds rounded: their order of addition differs."""
    return [
        {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in dataclasses.asdict(fact).items()
        }
        for fact in line.facts
        if not isinstance(fact, FramesRecorded)
    ]


@given(SCRIPTS, st.sampled_from([3, 17, 1000]))
def test_what_is_told_does_not_depend_on_the_way(script: list[tuple[RAW, int]], flush_every: int) -> None:
    long_way = played(Line, script, flush_every)
    short_way = played(Owner, script, flush_every)

    assert rows(short_way.facts_of(FramesRecorded)) == rows(long_way.facts_of(FramesRecorded))
    assert told(short_way) == told(long_way)


def talking() -> Owner:
    """A turn in which both have spoken once, so that both ways are known."""
    line = Process().connect()
    line.__class__ = Owner
    assert isinstance(line, Owner)
    line.raw(Direction.SENT, microphone(pcm(640)))
    line.raw(Direction.RECEIVED, spoken(pcm(960)))
    return line


def test_audio_like_the_audio_before_it_is_put_aside_in_both_directions() -> None:
    line = talking()

    for seed in range(10):
        assert line.raw(Direction.SENT, microphone(pcm(640, seed)), after_ms=10) == []
        assert line.raw(Direction.RECEIVED, spoken(pcm(960, seed)), after_ms=10) == []

    assert line.taken == 20
    line.close(after_ms=7)
    close = line.fact_of(ConnectionClosed)
    assert (close.at_ns - (close.last_received_at_ns or 0), close.frames) == (7_000_000, 24)
    assert line.fact_of(TurnEnded).model_speech_ms == pytest.approx(11 * 20)


def test_what_waits_is_told_before_what_comes_after_it() -> None:
    """A usage frame finds all the audio that crossed the socket before it."""
    line = talking()
    for seed in range(5):
        line.raw(Direction.RECEIVED, spoken(pcm(960, seed)))

    line.server(harness.usage(100, 150))

    assert line.fact_of(UsageReported).response_audio_ms == pytest.approx(6 * 20)


def test_a_frame_that_only_begins_like_audio_is_read_whole() -> None:
    line = talking()

    line.raw(Direction.RECEIVED, spoken(pcm(960), turnComplete=True))
    line.raw(Direction.RECEIVED, spoken(pcm(960))[:-1] + b',"usageMetadata":{"promptTokenCount":7}}')
    line.flush()

    assert line.fact_of(TurnEnded).end_reason == "complete"
    assert line.fact_of(UsageReported).usage.prompt == 7


def test_padding_is_no_audio() -> None:
    line = talking()

    for size in (958, 959, 960, 961, 962):
        line.raw(Direction.RECEIVED, spoken(pcm(size)))
    line.server(harness.usage(1, 1))

    heard_ms = (960 + 958 + 959 + 960 + 961 + 962) / 48
    assert line.fact_of(UsageReported).response_audio_ms == pytest.approx(heard_ms)


def test_nothing_is_put_aside_before_the_model_has_spoken_in_this_turn() -> None:
    """The first audio of a turn is an event of its own: how long the user waited for it."""
    line = talking()
    line.server(harness.TURN_COMPLETE)
    line.client(harness.ask())

    line.raw(Direction.RECEIVED, spoken(pcm(960)), after_ms=300)
    assert line.taken == 0
    line.raw(Direction.RECEIVED, spoken(pcm(960)))
    assert line.taken == 1

    line.server(harness.TURN_COMPLETE)
    assert line.facts_of(TurnEnded)[-1].first_audio_ms == 300


def test_no_more_is_kept_than_a_bound() -> None:
    line = talking()
    taken = 0
    for _ in range(3 * MAX_WAITING):
        before = line.taken
        line.raw(Direction.RECEIVED, spoken(pcm(960)))
        taken = taken + 1 if line.taken > before else 0
        assert taken <= MAX_WAITING

    assert line.taken >= 2 * MAX_WAITING


def test_a_flush_tells_what_waits() -> None:
    line = talking()
    line.flush()
    line.raw(Direction.RECEIVED, spoken(pcm(960)))
    line.raw(Direction.RECEIVED, spoken(pcm(960)), after_ms=20)

    assert line.observer.has_pending_frames
    (fact,) = [fact for fact in line.flush() if isinstance(fact, FramesRecorded)]
    assert list(fact.offsets_ms) == [0, 20]
    assert not line.observer.has_pending_frames
