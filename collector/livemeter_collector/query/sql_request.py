"""A request to ClickHouse's HTTP interface, as far as a reader may make one: what is asked, in what limits.

Pure: works on the URL, the headers and the body, and raises ClickHouse's own errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from livemeter_collector.query.formats import DEFAULT_FORMAT
from livemeter_collector.store.contract import EscapedText, StoreError

_CANNOT_PARSE_NUMBER = 72
_NOT_IMPLEMENTED = 48
_SYNTAX_ERROR = 62
_UNKNOWN_FORMAT = 73


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """The most that one query may take, whatever its sender asks for."""

    max_execution_time: float = 30.0
    """Seconds."""
    max_memory_usage: int = 512 * 1024 * 1024
    """Bytes."""
    max_result_rows: int = 10_000_000
    max_result_bytes: int = 512 * 1024 * 1024
    """Formats with a head or an end are made as a whole before the first byte leaves."""
    max_rows_to_read: int = 0
    max_bytes_to_read: int = 0

    def settings(self, asked: Mapping[str, str]) -> dict[str, str]:
        """Return the settings of a query: what was asked where it is less (0 is no limit), else ours.

        Raises:
            StoreError: a limit that was asked for is no number.
        """
        limits: dict[str, str] = {}
        for name in LIMIT_NAMES:
            most = float(getattr(self, name))
            chosen = _smaller(_number(name, asked.get(name, "0")), most)
            if chosen > 0:
                limits[name] = f"{chosen:.15g}"
        for name in _OVERFLOW_MODES & asked.keys():
            limits[name] = asked[name]
        return limits


LIMIT_NAMES = tuple(QueryLimits.__dataclass_fields__)
_OVERFLOW_MODES = frozenset({"result_overflow_mode", "read_overflow_mode"})


@dataclass(frozen=True, slots=True)
class SqlRequest:
    """One question; whatever else the URL says is ignored, because it changes nothing in the answer."""

    sql: str
    default_format: str = DEFAULT_FORMAT
    """For a statement without a FORMAT clause."""
    database: str | None = None
    query_id: str | None = None
    parameters: Mapping[str, EscapedText] = field(default_factory=dict[str, EscapedText])
    asked_limits: Mapping[str, str] = field(default_factory=dict[str, str])
    log_comment: str = ""
    """What the sender says of the question; some views look at it (``livemeter_origin``)."""


def read_request(url: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> SqlRequest:
    """Put a request together; the statement is the URL's ``query``, the body, or the one behind the other.

    Raises:
        StoreError: there is no statement, it is not UTF-8, or the client wants ClickHouse's own compression.
    """
    _refuse_compression(url, headers)
    try:
        parts = [url.get("query", ""), body.decode()]
    except UnicodeDecodeError as error:
        raise StoreError("the statement is not UTF-8 (SYNTAX_ERROR)", _SYNTAX_ERROR) from error
    sql = "\n".join(part for part in parts if part.strip())
    if not sql:
        raise StoreError("Empty query (SYNTAX_ERROR)", _SYNTAX_ERROR)
    default_format = headers.get("x-clickhouse-format") or url.get("default_format") or DEFAULT_FORMAT
    if not default_format.isalnum():
        raise StoreError(f"Unknown format {default_format} (UNKNOWN_FORMAT)", _UNKNOWN_FORMAT)
    return SqlRequest(
        sql,
        default_format,
        url.get("database") or headers.get("x-clickhouse-database"),
        url.get("query_id"),
        {
            name.removeprefix("param_"): EscapedText(text)
            for name, text in url.items()
            if name.startswith("param_")
        },
        {name: url[name] for name in (*LIMIT_NAMES, *_OVERFLOW_MODES) if name in url},
        url.get("log_comment", ""),
    )


def _refuse_compression(url: Mapping[str, str], headers: Mapping[str, str]) -> None:
    if url.get("compress", "0") in {"1", "true"} or url.get("decompress", "0") in {"1", "true"}:
        raise StoreError(
            "compress=1 is not supported: switch compression off in the client", _NOT_IMPLEMENTED
        )
    if headers.get("content-encoding", "identity") != "identity":
        raise StoreError("compressed statements are not supported", _NOT_IMPLEMENTED)
    if headers.get("content-type", "").startswith("multipart/"):
        raise StoreError("multipart requests are not supported: send parameters in the URL", _NOT_IMPLEMENTED)


def _smaller(asked: float, most: float) -> float:
    limits = [limit for limit in (asked, most) if limit > 0]
    return min(limits, default=0.0)


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise StoreError(f"{name} is not a number: {text!r}", _CANNOT_PARSE_NUMBER) from error
    return number if 0 <= number < float("inf") else 0.0
