"""What a published price is: a rate of a model, for a modality and a time. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

ALWAYS_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""Start of a price that has held since anybody can remember."""
ALWAYS_TO = datetime(2100, 1, 1, tzinfo=UTC)
"""End of a price of which no end is known."""

QUERY = "QUERY"
"""What grounding is priced by, in the place of a modality."""
FIRST_QUERY = "FIRST_QUERY"
"""A query within a month's allowance. Nobody tells which ones are, so it bounds what a query costs."""


class Rate(StrEnum):
    """Which of a model's rates a price is; ``direction`` in the collector's ``model_prices``."""

    INPUT = "input"
    OUTPUT = "output"
    CACHED_INPUT = "cached_input"
    GROUNDING = "grounding"


class Tier(StrEnum):
    """The price tier of a pass. Provisioned Throughput is paid by the month: nobody publishes its price."""

    STANDARD = "standard"
    PRIORITY = "priority"
    FLEX = "flex"
    PROVISIONED = "provisioned"


@dataclass(frozen=True, slots=True, order=True)
class Price:
    """A row of the collector's ``model_prices``: USD per million tokens, or per million queries.

    The period ends before ``valid_to``; where two overlap, the one that starts later holds. ``valid_from``
    and ``valid_to`` are in UTC, on whole hours.
    """

    model: str
    platform: str
    tier: str
    direction: str
    modality: str
    usd_per_mtok: Decimal
    valid_from: datetime
    valid_to: datetime
    source: str
