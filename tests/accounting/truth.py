"""What happened, as only a test can know it: sessions, their connections, and who said what when.

Nothing here is numbered or counted as Livemeter does it. A step names the exchange it is part of, a usage
frame the exchange it tells of and whether it is a copy: the figures that follow are the oracle's to find.
Times are wall clocks in Unix milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

Details = tuple[tuple[str, int | None], ...]
"""Modalities as the server lists them, each with its tokens or without a count; "" names none."""


@dataclass(frozen=True, slots=True)
class Part:
    """A total and its details; None: the server sent no such field."""

    total: int | None = None
    details: Details | None = None


NOTHING = Part()


@dataclass(frozen=True, slots=True)
class Counts:
    """What one usageMetadata means, however it is spelled."""

    prompt: Part = NOTHING
    response: Part = NOTHING
    tool_use: Part = NOTHING
    cached: Part = NOTHING
    thoughts: int | None = None
    total: int | None = None
    traffic_type: str = ""
    service_tier: str = ""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a usageMetadata is written: Vertex's names, snake_case, counts as strings of digits."""

    candidates: bool = False
    snake: bool = False
    digits: bool = False


PLAIN = Spelling()


@dataclass(frozen=True, slots=True)
class Told:
    """A usageMetadata; a copy tells again what the one before it told."""

    counts: Counts
    is_copy: bool = False
    spelling: Spelling = PLAIN


@dataclass(frozen=True, slots=True)
class Spoke:
    """The microphone streamed so many milliseconds of audio."""

    at_ms: int
    audio_ms: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The application asked for an answer: ``content``, ``text`` or ``activity`` (marked speech)."""

    at_ms: int
    exchange: int
    way: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The application answered the tool call of that id."""

    at_ms: int
    exchange: int
    call: str


@dataclass(frozen=True, slots=True)
class Heard:
    """The server wrote down what the user said."""

    at_ms: int
    exchange: int
    text: str


@dataclass(frozen=True, slots=True)
class Made:
    """The model made something: ``audio`` of some length, ``words``, a ``thought`` or a ``call`` of an id."""

    at_ms: int
    exchange: int
    what: str
    audio_ms: int = 0
    call: str = ""
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """The server wrote down what the model said."""

    at_ms: int
    exchange: int
    text: str


@dataclass(frozen=True, slots=True)
class Searched:
    """Grounding: queries that the model asked Google, told anew with every chunk."""

    at_ms: int
    exchange: int
    queries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reported:
    """A usage frame by itself."""

    at_ms: int
    exchange: int
    told: Told


@dataclass(frozen=True, slots=True)
class Paused:
    """turnComplete of a model that is still at work: the exchange goes on."""

    at_ms: int
    exchange: int


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The user spoke while the model did."""

    at_ms: int
    exchange: int


@dataclass(frozen=True, slots=True)
class Ended:
    """turnComplete."""

    at_ms: int
    exchange: int
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class Late:
    """What the model said in an exchange that had ended, written down after that."""

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """goAway."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Named:
    """The application gave the session its name only now."""

    at_ms: int


Step = (
    Spoke
    | Asked
    | Answered
    | Heard
    | Made
    | Said
    | Searched
    | Reported
    | Paused
    | Interrupted
    | Ended
    | Late
    | Leaving
    | Named
)


@dataclass(frozen=True, slots=True)
class Closing:
    """How a connection ended. ``code`` None: no close frame came; ``by``: server, client or none."""

    at_ms: int
    code: int | None
    by: str
    reason: str = ""
    is_clean: bool = True


@dataclass(frozen=True, slots=True)
class Connection:
    """One WebSocket of one process.

    ``resumes`` is the connection of the session whose handle it was opened with. ``refused_at`` says how far
    it came if it never came to life: ``handshake`` or ``setup``. Without a ``closing`` its process was
    killed. ``is_named``: the application said at the dial whose connection it is.
    """

    id: str
    process: int
    dialled_ms: int
    model: str
    platform: str
    steps: tuple[Step, ...] = ()
    closing: Closing | None = None
    resumes: int | None = None
    refused_at: str = ""
    compression: bool = False
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """The connections of a session in the order of their dials; ``name`` is the application's, if any."""

    connections: tuple[Connection, ...]
    name: str = ""

    @property
    def id(self) -> str:
        """The application's name, otherwise the first connection's id."""
        return self.name or self.connections[0].id


@dataclass(frozen=True, slots=True)
class Period:
    """Prices in USD per million tokens, or queries, from one whole hour up to another (Unix seconds)."""

    model: str
    platform: str
    tier: str
    direction: str
    from_s: int
    to_s: int
    usd: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """By modality; ``QUERY`` for grounding, ``FIRST_QUERY`` where the first ones of a month are cheaper."""


PriceTable = Sequence[Period]
