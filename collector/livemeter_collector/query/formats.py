"""What an HTTP answer must know of output formats: the FORMAT clause and the content type. Pure."""

import re

DEFAULT_FORMAT = "TabSeparated"

_CLAUSE = re.compile(r"\bFORMAT\s+([A-Za-z0-9_]+)\s*;?\s*$", re.IGNORECASE)
_COMMENT = re.compile(r"--|/\*|#|//")
_WORD = re.compile(r"\bFORMAT\b", re.IGNORECASE)
_WRITTEN_CLAUSE = re.compile(r" FORMAT ([A-Za-z0-9_]+)(?: SETTINGS [^()]*)?\s*$")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`", re.DOTALL)

_CONTENT_TYPES = {
    "csv": "text/csv; charset=UTF-8; header=absent",
    "csvwithnames": "text/csv; charset=UTF-8; header=present",
    "csvwithnamesandtypes": "text/csv; charset=UTF-8; header=present",
    "json": "application/json; charset=UTF-8",
    "jsoncompact": "application/json; charset=UTF-8",
    "jsoncolumns": "application/json; charset=UTF-8",
    "jsoneachrow": "application/x-ndjson; charset=UTF-8",
    "jsoncompacteachrow": "application/x-ndjson; charset=UTF-8",
    "native": "application/octet-stream",
    "parquet": "application/octet-stream",
    "arrow": "application/octet-stream",
    "arrowstream": "application/octet-stream",
    "rowbinary": "application/octet-stream",
    "rowbinarywithnamesandtypes": "application/octet-stream",
    "xml": "application/xml; charset=UTF-8",
}


def content_type(output_format: str) -> str:
    """Return the content type ClickHouse gives a format; text of some kind unless we know better."""
    name = output_format.lower()
    if name.startswith(("tabseparated", "tsv")):
        return "text/tab-separated-values; charset=UTF-8"
    return _CONTENT_TYPES.get(name, "text/plain; charset=UTF-8")


def may_have_clause(sql: str) -> bool:
    """Return whether the word FORMAT is in there somewhere: as a clause, a name, or in a text."""
    return _WORD.search(sql) is not None


def split_plain_clause(sql: str) -> tuple[str, str] | None:
    """Return the statement without the FORMAT clause it ends with, and the format.

    None when it takes a parser to tell: with comments, or with the word in there more than once.
    """
    found = _CLAUSE.search(sql)
    if found is None or len(_WORD.findall(sql)) > 1 or _COMMENT.search(sql):
        return None
    return sql[: found.start()], found.group(1)


def split_written_clause(written: str) -> tuple[str, str | None]:
    """Do the same for a statement as the engine writes it out: in one line, clauses in their order."""
    masked = _QUOTED.sub(lambda quoted: "_" * len(quoted.group()), written)
    found = _WRITTEN_CLAUSE.search(masked)
    if found is None:
        return written, None
    return written[: found.start()] + written[found.end(1) :], found.group(1)
