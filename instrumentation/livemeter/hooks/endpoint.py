"""The URL of a Live connection to what may be recorded of it: never its query, never a credential."""

import re
from urllib.parse import urlsplit

from livemeter.observer.facts import Endpoint
from livemeter.vocabulary import Platform

_API_VERSION = re.compile(r"\.(v\d\w*)\.")
_REGIONAL_HOST = re.compile(r"^([a-z0-9-]+)-aiplatform\.")


def read_endpoint(uri: str) -> Endpoint:
    """Read platform, host, API version and location from a BidiGenerateContent URL."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    on_vertex = "aiplatform" in parts.path or "aiplatform" in host
    version = _API_VERSION.search(parts.path)
    region = _REGIONAL_HOST.match(host)
    return Endpoint(
        platform=Platform.VERTEX_AI if on_vertex else Platform.GEMINI_API,
        address=host,
        api_version=version.group(1) if version else "",
        location=region.group(1) if region else "",
    )
