"""What a read-only statement may not do although ClickHouse's ``readonly = 1`` lets it. Pure.

The engine runs in our process with our rights and without users of its own, and ``readonly = 1`` has holes
there: the function ``file`` reads any file, DESCRIBE of a table function opens files and connections, some
table functions act while their arguments are read, SYSTEM, KILL and BACKUP pass, and INTO OUTFILE writes.
What is judged here is the statement as the engine's own parser writes it out again, so that no comment,
quoting or escape of the statement's author can hide a word from us.
"""

import re
from collections.abc import Collection, Mapping

from livemeter_collector.store.contract import StoreError

READONLY_CODE = 164
"""ClickHouse's READONLY."""

FIRST_WORDS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN"})

FORBIDDEN_WORDS = frozenset({"file", "outfile", "parallel"})
"""``file`` is refused as a name as well, because functions are passed by name: ``arrayMap(file, ...)``.
``PARALLEL WITH`` chains any statement behind a SELECT."""

HARMLESS_TABLE_FUNCTIONS = frozenset(
    {"format", "generate_series", "generateseries", "merge", "null", "values", "view"}
    | {"numbers", "numbers_mt", "zeros", "zeros_mt"}
)
"""They touch nothing but memory and our own tables. ``format`` is a scalar function as well; the table
function of that name is stopped by ``readonly``."""

# One pass over both kinds of quotes, so that a quote inside the other kind opens nothing.
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|`((?:[^`\\]|\\.)*)`", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A parameter that stands where the name of a function can.
_IDENTIFIER_PARAMETER = re.compile(r"\{\s*([^:{}\s]+)\s*:\s*Identifier\s*\}", re.IGNORECASE)
_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\(")


def refuse_unsafe(formatted: str, parameters: Mapping[str, str], table_functions: Collection[str]) -> None:
    """Refuse a statement that reads or writes outside the database.

    Args:
        formatted: the statement as the engine's ``formatQuerySingleLine`` gives it.
        parameters: the texts of the query's parameters by name; an identifier can be one.
        table_functions: names of all table functions that the engine has.

    Raises:
        StoreError: with ClickHouse's code READONLY; names the word.
    """
    # Texts say nothing about what a statement does; quoted names do.
    bare = _QUOTED.sub(lambda quoted: quoted.group(1) or "''", formatted)
    first = _WORD.search(bare)
    if first is None or first.group().upper() not in FIRST_WORDS:
        raise _refusal(first.group() if first else formatted)
    words = {word.lower() for word in _WORD.findall(bare)}
    for word in FORBIDDEN_WORDS & words:
        raise _refusal(word)
    banned = {name.lower() for name in table_functions} - HARMLESS_TABLE_FUNCTIONS
    for name in _CALL.findall(bare):
        if name.lower() in banned:
            raise _refusal(name)
    for name in _IDENTIFIER_PARAMETER.findall(bare):
        value = parameters.get(name, "")
        parts = value.lower().split(".")
        if banned & set(parts) or not all(part.replace("_", "").isalnum() for part in parts):
            raise _refusal(value or name)


def _refusal(word: str) -> StoreError:
    message = f"{word} is not allowed: this connection is read-only and sees only the database (READONLY)"
    return StoreError(message, READONLY_CODE)
