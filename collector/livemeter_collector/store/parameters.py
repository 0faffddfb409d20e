"""Query parameters as the text that ClickHouse parses by the type in ``{name:Type}``. Pure."""

import re
from collections.abc import Sequence

from livemeter_collector.store.contract import EscapedText, Parameters, Scalar

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n"})
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANINGS = {"t": "\t", "n": "\n", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}
_QUOTED_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "'": "\\'"})


def parameter_texts(parameters: Parameters | None) -> dict[str, str]:
    """Return every parameter's text, by name."""
    return {name: _text(value) for name, value in (parameters or {}).items()}


def unescaped(text: str) -> str:
    """Return the value that an escaped text stands for."""
    return _ESCAPED.sub(lambda found: _MEANINGS.get(found.group(1), found.group(1)), text)


def _text(value: Scalar | Sequence[Scalar]) -> str:
    if isinstance(value, EscapedText):
        return value
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return f"[{', '.join(map(_element, value))}]"


def _element(value: Scalar) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f"'{value.translate(_QUOTED_ESCAPES)}'"
    return _text(value)
