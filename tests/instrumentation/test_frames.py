"""Frames to log records, in every form."""

import itertools
import json
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.emit import frames as module
from livemeter.emit.connections import Origin
from livemeter.emit.records import records_of
from livemeter.emit.values import Record
from livemeter.observer.facts import FramesRecorded
from livemeter.settings import FramesForm, Settings
from livemeter.vocabulary import Attribute, Direction, Event, FramesBody
from tests.instrumentation.examples import (
    CLOSED,
    CONNECTION_ID,
    FRAMES,
    HANDLE_HASH,
    IDENTITY,
    STARTED,
    VERTEX,
)
from tests.instrumentation.memory import Memory

ORIGIN = Origin(VERTEX)


class Row(NamedTuple):
    """A frame as the tables of the collector have it."""

    ts_ms: int
    seq: int
    direction: str
    kind: str
    contents: list[str]
    bytes: int
    audio_ms: int
    sample_rate: int
    turn: int


def rows_of_packed(record: Record) -> list[Row]:
    body: dict[str, Any] = json.loads(record.body or "")
    columns = [body[name] for name in list(FramesBody) if name in body and isinstance(body[name], list)]
    assert {len(column) for column in columns[:8]} == {record.attributes[Attribute.FRAMES_COUNT]}
    directions = [[Direction.SENT, Direction.RECEIVED][bit] for bit in body[FramesBody.DIRECTION]]
    times = list(itertools.accumulate(body[FramesBody.OFFSET], initial=body[FramesBody.BASE]))[1:]
    numbers = itertools.count(body[FramesBody.SEQ])
    return [Row._make(row) for row in zip(times, numbers, directions, *columns[2:8], strict=False)]


def row_of_record(record: Record) -> Row:
    said: dict[str, Any] = record.attributes
    assert record.body is None
    return Row(
        record.at_ns // 1_000_000,
        said[Attribute.FRAME_SEQ],
        said[Attribute.FRAME_DIRECTION],
        said[Attribute.FRAME_KIND],
        json.loads(said.get(Attribute.FRAME_CONTENTS, "[]")),
        said[Attribute.FRAME_BYTES],
        said[Attribute.FRAME_AUDIO_MS],
        said.get(Attribute.FRAME_SAMPLE_RATE, 0),
        said[Attribute.TURN],
    )


def rows_of_fact(fact: FramesRecorded) -> list[Row]:
    times = list(itertools.accumulate(fact.offsets_ms))
    return [
        Row(
            fact.base_ms + times[index],
            fact.first_seq + index,
            "received" if fact.directions[index] else "sent",
            fact.kinds[index],
            list(fact.contents[index]),
            *(fact.bytes[index], fact.audio_ms[index], fact.sample_rates[index], fact.turns[index]),
        )
        for index in range(len(times))
    ]


KINDS = st.sampled_from(["audio", "turnComplete", "usageMetadata"]) | st.text(max_size=12).filter(
    lambda text: text.isprintable()
)
FRAME = st.tuples(
    st.integers(-5, 70_000),
    st.sampled_from([0, 1]),
    KINDS,
    st.just(()) | st.lists(KINDS, min_size=2, max_size=4).map(tuple),
    st.integers(0, 200_000),
    st.integers(0, 20_000),
    st.sampled_from([0, 8_000, 16_000, 24_000]),
    st.integers(0, 40),
)


@st.composite
def facts(draw: st.DrawFn) -> FramesRecorded:
    """Batches in which a column may be all the same, because that goes another way."""
    rows = draw(st.lists(FRAME, min_size=1, max_size=40))
    columns = [
        draw(st.sampled_from([column, column[:1] * len(column)])) for column in zip(*rows, strict=True)
    ]
    hashes = draw(st.sampled_from([(), (HANDLE_HASH,), (HANDLE_HASH, "ab" * 16)]))
    values: list[Any] = [1_800_000_000_000_000_000, 17, 1_800_000_000_000, *columns, hashes]
    return FramesRecorded(*values)


@given(facts())
def test_packed_and_records_hold_what_the_fact_holds(fact: FramesRecorded) -> None:
    [packed] = records_of(fact, ORIGIN, FramesForm.PACKED)
    records = records_of(fact, ORIGIN, FramesForm.RECORDS)
    frames = [record for record in records if record.event is Event.FRAME]
    assert rows_of_packed(packed) == rows_of_fact(fact)
    assert [row_of_record(record) for record in frames] == rows_of_fact(fact)
    hashes = [record.attributes[Attribute.HANDLE_HASHES] for record in records[len(frames) :]]
    assert [json.loads(str(text)) for text in hashes] == [list(fact.handle_hashes)] * bool(fact.handle_hashes)
    assert json.loads(packed.body or "").get(FramesBody.HANDLES, []) == list(fact.handle_hashes)


def test_a_packed_body_has_every_key_and_no_blank() -> None:
    [packed] = records_of(FRAMES, ORIGIN, FramesForm.PACKED)
    assert list(json.loads(packed.body or "")) == list(FramesBody)
    assert packed.attributes == {Attribute.FRAMES_COUNT: 3}
    assert " " not in (packed.body or "")


def test_handles_that_nobody_gave_are_absent() -> None:
    plain = replace(FRAMES, handle_hashes=())
    [packed] = records_of(plain, ORIGIN, FramesForm.PACKED)
    assert FramesBody.HANDLES not in json.loads(packed.body or "")
    assert {record.event for record in records_of(plain, ORIGIN, FramesForm.RECORDS)} == {Event.FRAME}
    assert records_of(plain, ORIGIN, FramesForm.OFF) == ()


def test_off_leaves_frames_out_and_keeps_the_hashes_of_handles() -> None:
    [record] = records_of(FRAMES, ORIGIN, FramesForm.OFF)
    assert record.event is Event.RESUMPTION
    assert record.attributes == {Attribute.HANDLE_HASHES: f'["{HANDLE_HASH}"]'}
    assert record.at_ns == FRAMES.at_ns


def test_a_record_is_at_the_time_of_its_frame_and_says_nothing_that_it_does_not_know() -> None:
    audio, _, complete, _ = records_of(FRAMES, ORIGIN, FramesForm.RECORDS)
    assert audio.at_ns == FRAMES.base_ms * 1_000_000
    assert complete.at_ns == (FRAMES.base_ms + 43) * 1_000_000
    assert audio.attributes[Attribute.FRAME_SAMPLE_RATE] == 16_000
    assert Attribute.FRAME_CONTENTS not in audio.attributes
    assert Attribute.FRAME_SAMPLE_RATE not in complete.attributes
    assert complete.attributes[Attribute.FRAME_AUDIO_MS] == 0
    assert complete.attributes[Attribute.FRAME_CONTENTS] == '["turnComplete","usageMetadata"]'


def test_half_a_surrogate_pair_costs_a_character_in_either_form() -> None:
    odd = replace(FRAMES, kinds=("audio", "audio", "\udc00"), contents=((), (), ("a", "\udc00")))
    [packed] = records_of(odd, ORIGIN, FramesForm.PACKED)
    last = records_of(odd, ORIGIN, FramesForm.RECORDS)[2]
    assert rows_of_packed(packed)[2][3:5] == row_of_record(last)[3:5] == ("?", ["a", "?"])


def test_values_without_end_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    names, numbers = module._Names(), module._Numbers()
    for value in range(3 * module.MAX_NUMBERS):
        assert numbers[value] == str(value)
        assert names[f"kind{value}"] == f'"kind{value}"'
    assert names["x" * 1000] == f'"{"x" * 1000}"'
    assert (len(names), len(numbers)) == (module.MAX_NAMES, module.MAX_NUMBERS)


@pytest.mark.parametrize(
    ("form", "events"),
    [
        (FramesForm.PACKED, [Event.FRAMES]),
        (FramesForm.RECORDS, [Event.FRAME, Event.FRAME, Event.FRAME, Event.RESUMPTION]),
        (FramesForm.OFF, [Event.RESUMPTION]),
    ],
)
def test_the_setting_decides_the_form(memory: Memory, form: FramesForm, events: list[Event]) -> None:
    memory.emitter.settings = Settings(frames=form)
    memory.emit([STARTED, FRAMES, CLOSED])
    names = [record.event_name for record in memory.records]
    assert names == [Event.CONNECTION_STARTED, *events, Event.CONNECTION_CLOSED]
    connections = {dict(record.attributes or {})[Attribute.CONNECTION_ID] for record in memory.records}
    assert connections == {CONNECTION_ID}
    assert IDENTITY.session_id in {dict(r.attributes or {})[Attribute.SESSION_ID] for r in memory.records}
