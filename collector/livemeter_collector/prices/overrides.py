"""A user's file of prices, which wins over the published ones: the file that applications read as well."""

from collections.abc import Mapping
from pathlib import Path

from livemeter.accounts.price_file import PriceFileError, read_overrides
from livemeter.accounts.rates import Price

VARIABLE = "LIVEMETER_PRICES"
"""Names the file, for applications and for the collector."""


def file_of(named: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Return the file that an option names, or else the environment; None for published prices alone."""
    if named is None and environment.get(VARIABLE, "").strip():
        named = Path(environment[VARIABLE].strip())
    return None if named is None else named.absolute()


def read_file(file: Path | None) -> tuple[Price, ...]:
    """Return the prices of the file; none without a file.

    Raises:
        PriceFileError: it cannot be read or used; one line says which entry, what, and what to do.
    """
    if file is None:
        return ()
    try:
        return read_overrides(file.read_text("utf-8"), str(file))
    except OSError as error:
        raise PriceFileError(
            f"{file}: {error.strerror}: name a file that can be read with --prices or {VARIABLE}, or none"
        ) from error
    except UnicodeDecodeError as error:
        raise PriceFileError(f"{file}: not valid TOML: the file must be in UTF-8") from error
