"""What a session has used and cost so far, inside the application: the figures that SQL will give of it.

Pure: facts in, figures out; no I/O but reading the package's own price file, no OpenTelemetry, no clock.
The collector's SQL has the last word: it knows corrected prices, and what another process added.
"""

from livemeter.accounts.ledger import Figures, Ledger, Spend
from livemeter.accounts.price_file import PriceFileError, read_overrides
from livemeter.accounts.prices import PriceList, price_list
from livemeter.accounts.rates import Price

__all__ = [
    "Figures",
    "Ledger",
    "Price",
    "PriceFileError",
    "PriceList",
    "Spend",
    "price_list",
    "read_overrides",
]
