"""Frames leave in columns of equal length, each frame once, in order."""

import json

from hypothesis import given
from hypothesis import strategies as st

from livemeter.observer.batch import MAX_FRAMES, FrameBatch
from livemeter.observer.facts import FramesRecorded
from livemeter.observer.frames import Frame, read_frame
from livemeter.vocabulary import Direction
from tests.observer.harness import TURN_COMPLETE, Json, Process, audio, bundle, live, microphone, usage

MS = 1_000_000


def frame(message: Json, direction: Direction = Direction.SENT) -> Frame:
    return read_frame(direction, json.dumps(message))


def test_a_batch_is_columns_with_a_row_for_every_frame() -> None:
    batch = FrameBatch(500)
    answer = bundle(audio(40), TURN_COMPLETE, usage(1, 2))
    batch.add(frame(microphone(20)), 1, 0, 1_000 * MS)
    batch.add(frame(answer, Direction.RECEIVED), 1, 30 * MS, 1_030 * MS)
    batch.add(frame({"newThing": 1}, Direction.RECEIVED), 2, 100 * MS, 1_100 * MS)
    assert batch.take(1_200 * MS) == FramesRecorded(
        at_ns=1_200 * MS,
        first_seq=0,
        base_ms=1_000,
        # 1030 - 1000, then 1100 - 1030
        offsets_ms=(0, 30, 70),
        directions=(0, 1, 1),
        kinds=("audio", "audio", "unknown"),
        # What a frame carried alone is its kind already.
        contents=((), ("audio", "turnComplete", "usageMetadata"), ()),
        bytes=(len(json.dumps(microphone(20))), len(json.dumps(answer)), len('{"newThing": 1}')),
        audio_ms=(20, 40, 0),
        sample_rates=(16_000, 24_000, 0),
        turns=(1, 1, 2),
    )


def test_a_batch_is_due_when_its_first_frame_is_old_enough() -> None:
    batch = FrameBatch(500)
    assert not batch.is_due(10_000 * MS)
    batch.add(frame(microphone()), 1, 1_000 * MS, 0)
    batch.add(frame(microphone()), 1, 1_400 * MS, 0)
    assert not batch.is_due(1_499 * MS)
    assert batch.is_due(1_500 * MS)


def test_a_batch_is_due_when_it_is_long_enough() -> None:
    batch = FrameBatch(500)
    for _ in range(MAX_FRAMES - 1):
        batch.add(frame(microphone()), 1, 0, 0)
    assert not batch.is_due(0)
    batch.add(frame(microphone()), 1, 0, 0)
    assert batch.is_due(0)


def test_sequence_numbers_go_on_where_the_last_batch_ended() -> None:
    batch = FrameBatch(500)
    for frames, first_seq in ((2, 0), (3, 2), (1, 5)):
        for _ in range(frames):
            batch.add(frame(microphone()), 1, 0, 0)
        assert batch.take(0).first_seq == first_seq
        assert len(batch) == 0


def test_a_wall_clock_set_back_moves_timestamps_and_no_deadline() -> None:
    process = Process()
    line = process.connect()
    line.flush()
    line.client(microphone())
    process.clock.wait(100)
    process.clock.set_wall_back(2_000)
    assert line.client(microphone()) == []
    (frames,) = line.client(microphone(), after_ms=400)
    assert isinstance(frames, FramesRecorded)
    # 100 ms on and 2,000 back, then 400 on.
    assert frames.offsets_ms == (0, -1_900, 400)


def test_frames_wait_half_a_second_and_leave_with_the_next_frame() -> None:
    line = live()
    line.client(microphone(), after_ms=499)
    assert line.facts_of(FramesRecorded) == []
    line.client(microphone(), after_ms=1)
    # setup, setupComplete and two of the microphone
    assert line.fact_of(FramesRecorded).kinds == ("setup", "setupComplete", "audio", "audio")


def test_frames_that_nothing_follows_leave_by_flush_or_close() -> None:
    line = live()
    waiting = [line.observer.has_pending_frames]
    line.flush()
    waiting.append(line.observer.has_pending_frames)
    assert waiting == [True, False]
    assert line.flush() == []
    line.client(microphone())
    line.close()
    assert [frames.first_seq for frames in line.facts_of(FramesRecorded)] == [0, 2]


def test_an_interval_of_zero_lets_every_frame_leave_alone() -> None:
    line = Process().dial(frames_interval_ms=0)
    for _ in range(3):
        line.client(microphone())
    assert [frames.kinds for frames in line.facts_of(FramesRecorded)] == [("audio",)] * 3


@given(st.lists(st.integers(min_value=0, max_value=700), max_size=40))
def test_times_add_up_to_the_moment_each_frame_crossed(pauses_ms: list[int]) -> None:
    process = Process()
    line = process.dial()
    crossed: list[int] = []
    for pause_ms in pauses_ms:
        line.client(microphone(), after_ms=pause_ms)
        crossed.append(process.clock.wall_ms)
    line.flush()
    told: list[int] = []
    for frames in line.facts_of(FramesRecorded):
        now = frames.base_ms
        for offset in frames.offsets_ms:
            now += offset
            told.append(now)
    assert told == crossed
