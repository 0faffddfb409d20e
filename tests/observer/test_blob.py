"""Base64 is cut out of frames unread, and nothing that is known of a frame depends on it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.observer import frames
from livemeter.observer.blob import KEY_WITHIN, cut_blob, is_blob, joined
from livemeter.observer.frames import MAX_SHAPES, Frame, read_frame
from livemeter.vocabulary import Direction
from tests.observer.strategies import ANY_STEPS, Step, damaged_frames

BLOB = base64.b64encode(b"\0\1" * 480).decode()
AUDIO = {"mimeType": "audio/pcm;rate=24000", "data": BLOB}
RECEIVED: dict[str, Any] = {"serverContent": {"modelTurn": {"parts": [{"inlineData": AUDIO}]}}}
SENT: dict[str, Any] = {"realtime_input": {"audio": {"data": BLOB, "mime_type": "audio/pcm;rate=16000"}}}


def read_whole(direction: Direction, raw: str | bytes) -> Frame:
    """Read a message with so much white space before it that no blob is looked for."""
    space = " " * KEY_WITHIN
    return read_frame(direction, space + raw if isinstance(raw, str) else space.encode() + raw)


def told(frame: Frame) -> tuple[object, ...]:
    """All of a frame but its size and its message."""
    return frame.kind, frame.contents, pytest.approx(frame.audio_ms)


@pytest.mark.parametrize("as_bytes", [False, True], ids=["text", "bytes"])
@pytest.mark.parametrize(
    ("direction", "message", "kind", "contents", "milliseconds"),
    [
        (Direction.RECEIVED, RECEIVED, "audio", ("audio",), 20),
        (Direction.SENT, SENT, "audio", ("audio",), 30),
        (
            Direction.RECEIVED,
            {"serverContent": {**RECEIVED["serverContent"], "turnComplete": True}, "usageMetadata": {}},
            "audio",
            ("audio", "turnComplete", "usageMetadata"),
            20,
        ),
        # Two blobs: neither is cut.
        (
            Direction.RECEIVED,
            {"serverContent": {"modelTurn": {"parts": [{"inlineData": AUDIO}] * 2}}},
            "audio",
            ("audio",),
            40,
        ),
    ],
)
def test_a_frame_is_the_same_read_either_way(
    direction: Direction,
    message: dict[str, Any],
    kind: str,
    contents: tuple[str, ...],
    milliseconds: float,
    as_bytes: bool,
) -> None:
    text = json.dumps(message)
    raw: str | bytes = text.encode() if as_bytes else text
    # The first time the shape is new, the second time it is known.
    for frame in (read_frame(direction, raw), read_frame(direction, raw), read_whole(direction, raw)):
        assert (frame.kind, frame.contents) == (kind, contents)
        assert frame.audio_ms == pytest.approx(milliseconds)
    assert read_frame(direction, raw).size == len(text)


@given(st.lists(ANY_STEPS, max_size=10))
def test_any_frame_is_the_same_read_either_way(steps: list[Step]) -> None:
    for direction, raw, _ in steps:
        assert told(read_frame(direction, raw)) == told(read_whole(direction, raw))


@pytest.mark.parametrize("damage", [None, "", BLOB, BLOB[:-1], "\\", "data", {"data": "x"}, [AUDIO], 7])
def test_damaged_frames_are_the_same_read_either_way(damage: object) -> None:
    for direction, raw in damaged_frames(damage):
        assert told(read_frame(direction, raw)) == told(read_whole(direction, raw)), raw


def test_what_is_measured_in_full_keeps_its_data() -> None:
    call = {"toolCall": {"functionCalls": [{"id": "a", "args": {"data": BLOB}}]}}
    answer = {"toolResponse": {"functionResponses": [{"id": "a", "response": {"data": BLOB}}]}}

    assert read_frame(Direction.RECEIVED, json.dumps(call)).message == call
    assert read_frame(Direction.SENT, json.dumps(answer)).message == answer


@pytest.mark.parametrize(
    "raw",
    [
        "",
        '{"data"',
        '{"data":',
        '{"data":"',
        '{"data":""}',
        '{"data":7,"x":"y"}x',
        r'{"text":"\"data\": \"x\""}',
        r'{"data":"AA\/A"}',
        " " * KEY_WITHIN + '{"data":"AAAA"}',
    ],
)
def test_where_anything_is_unexpected_nothing_is_taken_for_a_blob(raw: str) -> None:
    for message in (raw, raw.encode()):
        cut = cut_blob(message)
        assert cut is None or not is_blob(*cut[0])


@pytest.mark.parametrize(
    ("blob", "characters"), [("AAAA", 4), ("AAA=", 3), ("AA==", 2), ("AA", 2), ("_-8=", 3)]
)
def test_padding_is_not_counted(blob: str, characters: int) -> None:
    raw, empty = (f'{{ "data" : "{data}", "mimeType": "x" }}' for data in (blob, ""))
    for message in (raw, raw.encode()):
        cut = cut_blob(message)
        assert cut is not None
        assert cut[1] == characters
        assert is_blob(*cut[0])
        assert joined(*cut[0]) == (empty if isinstance(message, str) else empty.encode())


def test_shapes_that_are_remembered_are_bounded() -> None:
    for number in range(3 * MAX_SHAPES):
        message = {"realtimeInput": {"audio": {"data": BLOB, "mimeType": f"audio/pcm;rate={8000 + number}"}}}
        read_frame(Direction.SENT, json.dumps(message))

    assert len(frames._shapes[Direction.SENT]) <= MAX_SHAPES
