"""What the handshake of a Live connection says: path, platform and API version.

Pure. Keys and tokens travel in query strings, so only the names of query parameters are kept.
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote

Platform = Literal["gemini_api", "vertex_ai"]

_METHOD = "BidiGenerateContent"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One accepted handshake: the n-th connection of the server (from 1) and what its path says."""

    number: int
    path: str
    platform: Platform
    api_version: str


def read_arrival(number: int, request_path: str) -> Arrival | None:
    """Read a request path; ``None`` when it is not the path of a Live session."""
    path, _, query = request_path.partition("?")
    if _METHOD not in path:
        return None
    version = re.search(r"\.(v\d\w*)\.", path)
    return Arrival(
        number=number,
        path=path + _names_only(query),
        platform="vertex_ai" if "aiplatform" in path else "gemini_api",
        api_version=version.group(1) if version else "",
    )


def _names_only(query: str) -> str:
    names = [quote(name, safe="$") for name, _ in parse_qsl(query, keep_blank_values=True)]
    return "?" + "&".join(names) if names else ""
