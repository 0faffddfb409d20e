"""One reading of both clocks: durations come from the monotonic one, timestamps from the wall."""

from typing import NamedTuple


class Instant(NamedTuple):
    """When something crossed the socket, in nanoseconds."""

    monotonic_ns: int
    wall_ns: int


def ms_between(start: Instant | None, end: Instant) -> float | None:
    """Return the milliseconds from ``start`` to ``end`` by the monotonic clock, or None without a start."""
    return None if start is None else (end.monotonic_ns - start.monotonic_ns) / 1e6
