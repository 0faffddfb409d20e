"""What the fake server keeps of every connection, for assertions.

Pure data. It has no place for headers, and paths come without the values of their query parameters, so
no key or token can end up here. Resumption handles stay where the client put them, in the setup.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from livemeter.testing.arrival import Platform
from livemeter.testing.client_frames import kind_fits

ClosedBy = Literal["client", "server", "none"]


@dataclass(frozen=True, slots=True)
class ClientFrame:
    """One message the client sent.

    ``message`` is in camelCase whatever the client's spelling, ``raw`` is what crossed the socket; both are
    empty when the server was told not to record messages. ``received_at`` is ``time.monotonic()`` seconds.
    """

    kinds: tuple[str, ...]
    message: Mapping[str, Any]
    raw: str | bytes
    payload_bytes: int
    audio_ms: float
    received_at: float

    @property
    def kind(self) -> str:
        """The main kind, such as ``realtimeInput.audio``."""
        return self.kinds[0]


@dataclass(frozen=True, slots=True)
class ServerFrame:
    """One message the server sent: its top-level keys, content and size; ``time.monotonic()`` seconds."""

    keys: tuple[str, ...]
    message: Mapping[str, Any]
    payload_bytes: int
    sent_at: float


@dataclass(slots=True)
class Connection:
    """One connection, from its handshake on; complete when the server has stopped.

    ``closed_by`` says who sent the first close frame: ``none`` if nobody did (1006).
    ``steps_done`` counts every step played, those within ``Repeat`` each time.
    """

    number: int
    path: str
    platform: Platform
    api_version: str
    script: str = ""
    setup: Mapping[str, Any] = field(default_factory=dict[str, Any])
    received: list[ClientFrame] = field(default_factory=list[ClientFrame])
    sent: list[ServerFrame] = field(default_factory=list[ServerFrame])
    steps_done: int = 0
    compressed: bool = False
    refused_status: int | None = None
    close_code: int | None = None
    close_reason: str = ""
    closed_by: ClosedBy | None = None

    @property
    def model(self) -> str:
        """The model as named in the setup."""
        return str(self.setup.get("model", ""))

    @property
    def kinds(self) -> list[str]:
        """The main kind of every message received, in order."""
        return [frame.kind for frame in self.received]

    def of_kind(self, kind: str) -> list[ClientFrame]:
        """The messages received of a kind or family of kinds, in order."""
        return [frame for frame in self.received if kind_fits(frame.kinds, kind)]
