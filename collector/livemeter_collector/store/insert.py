"""How OTLP bytes are inserted: the table, the schema, and every setting that exactly-once rests on.

The engine parses the protobuf itself, with the flattened schemas in ``otlp/``, into one row of nested arrays;
the views of ``sql/`` take it apart. Pure, but for reading those files.
"""

from collections.abc import Collection
from importlib import resources

from livemeter_collector.store.contract import Signal

FORMAT = "ProtobufSingle"

BLOCK_SETTINGS = {
    # What a retry must not change: a block is recognised by the token and its number in the insert, so the
    # same bytes have to fall into the same blocks on every attempt, whatever profile, engine or machine it
    # meets. They are also chosen large: one insert is one block in every target, hence one part and one
    # entry in the deduplication window for each partition.
    "max_block_size": "65409",
    "max_insert_block_size": "1048449",
    "min_insert_block_size_rows": "4194304",
    "min_insert_block_size_bytes": "1073741824",
    "min_insert_block_size_rows_for_materialized_views": "0",
    "min_insert_block_size_bytes_for_materialized_views": "0",
    "use_strict_insert_block_limits": "0",
    "input_format_max_block_size_bytes": "0",
    "input_format_parallel_parsing": "0",
    "max_threads": "1",
    "max_insert_threads": "1",
    "parallel_view_processing": "0",
}
"""Every setting that forms blocks."""

INSERT_SETTINGS = BLOCK_SETTINGS | {
    # The answer means stored: no buffering in the server, every view's target included, none skipped.
    "async_insert": "0",
    "materialized_views_ignore_errors": "0",
    # Before 26.2 the second and third of these say what the first says since.
    "deduplicate_insert": "enable",
    "insert_deduplicate": "1",
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    # A batch full of wrong clocks has many partitions; it is stored all the same.
    "max_partitions_per_insert_block": "0",
    # The views' plans are straight lines with nothing to move: looking for it took a sixth of a small insert.
    "query_plan_enable_optimizations": "0",
    # Tells '' and 0 from absent: the column `value` of an AnyValue says which arm of the oneof was sent.
    "input_format_protobuf_oneof_presence": "1",
}
"""The settings of every insert; an engine that is too old for one of them does without it."""

_MESSAGES = {
    Signal.LOGS: "ExportLogsServiceRequest",
    Signal.TRACES: "ExportTraceServiceRequest",
    Signal.METRICS: "ExportMetricsServiceRequest",
}


def table_of(signal: Signal) -> str:
    """Return the Null table that takes a signal's requests."""
    return f"otlp_{signal}_in"


def message_of(signal: Signal) -> str:
    """Return the protobuf message's name in the signal's schema."""
    return _MESSAGES[signal]


def schema_of(signal: Signal) -> str:
    """Return the signal's schema, a complete `.proto` file."""
    return (resources.files("livemeter_collector.store") / "otlp" / f"{signal}.proto").read_text("utf-8")


def insert_settings(token: str, known: Collection[str], origin: str = "") -> dict[str, str]:
    """Return the settings of one insert, those that the engine knows of."""
    settings = {name: value for name, value in INSERT_SETTINGS.items() if name in known}
    return settings | {"insert_deduplication_token": token, "log_comment": origin}
