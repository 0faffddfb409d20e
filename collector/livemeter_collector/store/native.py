"""The one block of ClickHouse's Native format that we write ourselves. Pure."""

from collections.abc import Sequence


def empty_block(columns: Sequence[tuple[str, str]]) -> bytes:
    """Return a block without rows: the names and types of a result that has none.

    The embedded engine answers an empty result with no bytes at all, a server with this block.
    """
    head = bytes((*_varint(len(columns)), 0))
    return head + b"".join(_text(name) + _text(type_name) for name, type_name in columns)


def _text(value: str) -> bytes:
    data = value.encode()
    return bytes(_varint(len(data))) + data


def _varint(value: int) -> list[int]:
    parts: list[int] = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return [*parts, value]
