"""Which distributions this Python has."""

import importlib.metadata
import platform
import sys

from livemeter import __version__
from livemeter.doctor.facts import Installed

GOOGLE_GENAI = "google-genai"
WEBSOCKETS = "websockets"
OPENTELEMETRY = ("opentelemetry-api", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
REQUESTS = "requests"


def read_installed() -> Installed:
    """Read the versions from the distributions' metadata; imports none of them."""
    return Installed(
        python=platform.python_version(),
        executable=sys.executable or "an unknown path",
        livemeter=__version__,
        versions={name: _version(name) for name in (GOOGLE_GENAI, WEBSOCKETS, *OPENTELEMETRY, REQUESTS)},
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
