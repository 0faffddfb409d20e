"""Session ids short enough to read and type, long enough to mean one session. Pure."""

from collections.abc import Iterable

SHORTEST = 8
_LEFT_WHOLE = 16


def shortened(ids: Iterable[str]) -> dict[str, str]:
    """Map each id to the shortest of its beginnings that no other of these ids has."""
    ordered = sorted(set(ids))
    before, after = ["", *ordered], [*ordered[1:], ""]
    return {one: unique_prefix(one, *next_to) for one, *next_to in zip(ordered, before, after, strict=False)}


def unique_prefix(session_id: str, before: str, after: str) -> str:
    """Return an id's shortest unique beginning, given its neighbours in sorted order ("" for none).

    It has 8 characters at least. Short ids, which an application gave, are left whole.
    """
    if len(session_id) <= _LEFT_WHOLE:
        return session_id
    shared = max(_shared_length(session_id, before), _shared_length(session_id, after))
    return session_id[: max(SHORTEST, shared + 1)]


def _shared_length(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
