"""Frames as rows that share what they share: most rows of a batch are one and the same object."""

from typing import NamedTuple

from livemeter.observer.frames import Frame
from livemeter.vocabulary import Direction


class Row(NamedTuple):
    """What is recorded of a frame beside time and turn. ``contents`` is empty where the kind says it all."""

    direction: int
    kind: str
    contents: tuple[str, ...]
    bytes: int
    audio_ms: int
    sample_rate: int


def row_of(frame: Frame) -> Row:
    """Return the row of a frame."""
    return Row(
        int(frame.direction is Direction.RECEIVED),
        frame.kind,
        frame.contents if len(frame.contents) > 1 else (),
        frame.size,
        round(frame.audio_ms),
        frame.sample_rate,
    )
