"""How a JSON value looks on the wire: its size, its compact form, and what is odd about its text.

Payloads are foreign and may be megabytes, and all of this runs on the application's event loop. So the walk
is iterative and stops at ``MAX_VALUES`` values or ``MAX_CHARACTERS`` characters, whichever comes first:
what is only found behind that is not found. Sizes are exact at any length and depth.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice, repeat

from livemeter.observer.payload import is_array, is_object, size, text
from livemeter.vocabulary import EncodingFinding

MAX_VALUES = 10_000
"""Values of one response that are looked at, in the order in which they were sent."""

MAX_CHARACTERS = 1_000_000
"""Characters of one response that are searched for controls and surrogates."""

MAX_INNER_CHARACTERS = 200_000
"""Characters of one response that are parsed once more, to see whether a string is JSON itself."""

# Unicode's category Cc (C0, DEL and C1) without the three that ordinary text is laid out with.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LIKE_JSON = re.compile(r"\s*[{\[]")


def wire_bytes(value: object) -> int:
    """Return the bytes of a JSON value in its compact UTF-8 form, however deep it is nested."""
    try:
        return size(value)
    except RecursionError:  # What was just parsed may be too deep to be written from further down the stack.
        return sum(_bytes_without_children(item) for item in _all_values(value))


def compact(value: object) -> str:
    """Return a JSON value as compact text that UTF-8 can carry; empty if it is nested too deep to be written.

    Half a surrogate pair becomes a question mark.
    """
    try:
        return text(json.dumps(value, separators=(",", ":"), ensure_ascii=False))
    except RecursionError:
        return ""


def findings(response: object, *, valid_utf8: bool = True) -> set[EncodingFinding]:
    """Return what is known to matter to servers in a tool's ``response``; nothing for null.

    The shape: ``NOT_AN_OBJECT``, else ``PLAIN_STRING`` (every value is a string, JSON in it or not, and
    there is one) or ``NESTED_OBJECT`` (a value is an object or an array), or neither. The text, keys and
    values at any depth: ``NON_ASCII``, ``LONE_SURROGATE``, ``CONTROL_CHARACTER`` (C0, DEL or C1; tab, newline
    and carriage return are none), however they were escaped; values: ``JSON_IN_STRING`` (an object or
    array, encoded twice). ``valid_utf8`` says whether the frame's bytes were UTF-8.
    """
    found = _shape(response) | _in_text(response)
    return found if valid_utf8 else found | {EncodingFinding.INVALID_UTF8}


def _shape(response: object) -> set[EncodingFinding]:
    if response is None:
        return set()
    if not is_object(response):
        return {EncodingFinding.NOT_AN_OBJECT}
    values = list(islice(response.values(), MAX_VALUES))
    if any(is_object(value) or is_array(value) for value in values):
        return {EncodingFinding.NESTED_OBJECT}
    plain = 0 < len(response) <= MAX_VALUES and all(isinstance(value, str) for value in values)
    return {EncodingFinding.PLAIN_STRING} if plain else set()


def _in_text(response: object) -> set[EncodingFinding]:
    found: set[EncodingFinding] = set()
    characters, inner = MAX_CHARACTERS, MAX_INNER_CHARACTERS
    for string, is_value in _strings(response):
        found |= _in_string(string[:characters])
        if is_value and len(string) <= inner and _LIKE_JSON.match(string):
            inner -= len(string)
            found |= {EncodingFinding.JSON_IN_STRING} if _is_json(string) else set()
        characters -= len(string)
        if characters <= 0:
            break
    return found


def _in_string(string: str) -> set[EncodingFinding]:
    found: set[EncodingFinding] = set()
    if not string.isascii():
        found.add(EncodingFinding.NON_ASCII)
        if not _is_encodable(string):
            found.add(EncodingFinding.LONE_SURROGATE)
    # Nothing printable is a control, and to see that takes a third of the time.
    if not string.isprintable() and _CONTROL.search(string):
        found.add(EncodingFinding.CONTROL_CHARACTER)
    return found


def _is_encodable(string: str) -> bool:
    """Say whether UTF-8 can carry a string: all but half a surrogate pair."""
    try:
        string.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_json(string: str) -> bool:
    try:
        json.loads(string)
    except (ValueError, RecursionError):
        return False
    return True


def _strings(value: object) -> Iterator[tuple[str, bool]]:
    """Yield every string of the first ``MAX_VALUES`` values, and whether it is a value rather than a key."""
    for key, item in islice(_entries(value), MAX_VALUES):
        if key is not None:
            yield key, False
        if isinstance(item, str):
            yield item, True


def _entries(value: object) -> Iterator[tuple[str | None, object]]:
    """Yield ``value`` and all inside it, depth first, each with its key if it has one.

    Containers are read as they are reached, so a reader that stops early has paid for no more.
    """
    pending: list[Iterator[tuple[str | None, object]]] = [iter([(None, value)])]
    while pending:
        entry = next(pending[-1], None)
        if entry is None:
            pending.pop()
            continue
        yield entry
        item = entry[1]
        if is_object(item):
            pending.append(iter(item.items()))
        elif is_array(item):
            pending.append(zip(repeat(None), item, strict=False))


def _all_values(value: object) -> Iterator[object]:
    return (item for _, item in _entries(value))


def _bytes_without_children(value: object) -> int:
    """Return the bytes of a value without those of the values in it: brackets, commas, keys and colons."""
    if is_object(value):
        return 2 + max(len(value) - 1, 0) + sum(size(key) + 1 for key in value)
    if is_array(value):
        return 2 + max(len(value) - 1, 0)
    return size(value)
