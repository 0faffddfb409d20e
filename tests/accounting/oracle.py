"""What usage frames cost, by plain Python that shares no code with the product.

It follows the rules of accounting, not the SQL: totals and details in, rows of (session, direction,
modality) out, with exact Decimals.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

PRICES: Mapping[str, Mapping[str, Mapping[str, Decimal]]] = {
    "gemini-3.8-live": {
        "input": {"TEXT": Decimal("0.75"), "AUDIO": Decimal(3), "IMAGE": Decimal(1), "VIDEO": Decimal(1)},
        "output": {"TEXT": Decimal("4.5"), "AUDIO": Decimal(12)},
    },
    "gemini-live-2.5-flash-native-audio": {
        "input": {"TEXT": Decimal("0.5"), "AUDIO": Decimal(3), "IMAGE": Decimal(3), "VIDEO": Decimal(3)},
        "output": {"TEXT": Decimal(2), "AUDIO": Decimal(12)},
    },
}
PRICED_AS = {"MODALITY_UNSPECIFIED": "TEXT", "DOCUMENT": "IMAGE"}
AUDIO_TOKENS_PER_S = 25


@dataclass
class Frame:
    """One usageMetadata, as an event's body tells it. An empty mapping: the server sent no details."""

    prompt: int = 0
    prompt_details: dict[str, int] = field(default_factory=dict)
    tool_use: int = 0
    tool_use_details: dict[str, int] = field(default_factory=dict)
    cached: int = 0
    cached_details: dict[str, int] = field(default_factory=dict)
    response: int = 0
    response_details: dict[str, int] = field(default_factory=dict)
    thoughts: int = 0
    context_audio_ms: int = 0
    response_audio_ms: int = 0
    repeat: bool = False


@dataclass
class Line:
    """One row of a session's costs."""

    quantity: int = 0
    usd: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None

    def add(self, tokens: int, price: tuple[Decimal, Decimal, Decimal] | None) -> None:
        self.quantity += tokens
        if price is None:
            return
        usd, low, high = (tokens * each / 1_000_000 for each in price)
        self.usd, self.low, self.high = (
            (before or Decimal(0)) + more
            for before, more in zip((self.usd, self.low, self.high), (usd, low, high), strict=True)
        )


def session_costs(model: str, frames: Iterable[Frame]) -> dict[tuple[str, str], Line]:
    """Return a session's costs by direction and modality."""
    lines: dict[tuple[str, str], Line] = defaultdict(Line)
    for frame in frames:
        if frame.repeat:
            continue
        for direction, modality, tokens in _tokens(frame):
            if tokens:
                lines[direction, modality].add(tokens, _price(model, direction, modality))
    return dict(lines)


def _tokens(frame: Frame) -> Iterable[tuple[str, str, int]]:
    # Cached tokens are inside the prompt and cost the same, as no Live model has a price for them: by
    # modality, the prompt and its cached part together are the prompt, unless the cached details name
    # something that the prompt's details do not. The generator below never does.
    for modality, tokens in split(frame.prompt, frame.prompt_details, frame.context_audio_ms):
        yield "input", modality, tokens
    for modality, tokens in split(frame.tool_use, frame.tool_use_details, 0):
        yield "input", modality, tokens
    for modality, tokens in split(frame.response, frame.response_details, frame.response_audio_ms):
        yield "output", modality, tokens
    yield "output", "TEXT", frame.thoughts


def split(total: int, details: Mapping[str, int], audio_ms: int) -> list[tuple[str, int]]:
    """Return a total by modality, with what nobody told."""
    if details:
        return [*details.items(), ("UNATTRIBUTED", max(0, total - sum(details.values())))]
    audio = min(total, round(audio_ms * AUDIO_TOKENS_PER_S / 1000))
    return [("AUDIO", audio), ("UNATTRIBUTED", total - audio)]


def _price(model: str, direction: str, modality: str) -> tuple[Decimal, Decimal, Decimal] | None:
    prices = PRICES.get(model, {}).get(direction)
    if prices is None:
        return None
    if modality == "UNATTRIBUTED":
        return prices["TEXT"], min(prices.values()), max(prices.values())
    price = prices.get(PRICED_AS.get(modality, modality))
    return None if price is None else (price, price, price)
