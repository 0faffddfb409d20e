"""Connection ids: UUID version 7, so that they sort by the time of the dial."""

import secrets


def new_connection_id(wall_ns: int) -> str:
    """Return 32 hex digits whose first 12 are Unix milliseconds (RFC 9562, section 5.7)."""
    milliseconds = wall_ns // 1_000_000 & 0xFFFF_FFFF_FFFF
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return f"{value:032x}"
