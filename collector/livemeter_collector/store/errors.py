"""From ClickHouse's error text to the contract's exceptions: may it be tried again, or never?

Pure. Knows ClickHouse's text and numbers, no engine and no client library.
"""

import re

from livemeter_collector.store.contract import PoisonError, StoreError, StoreUnavailableError

_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")
# The parser lists every keyword it knows when the first word is wrong.
_EXPECTED = re.compile(r" Expected one of: .{200,}?(?= \([A-Z_]+\)$|$)")
# A name that was added by each of two layers.
_TWICE = re.compile(r"(\([A-Z_]+\))\.? \1$")
_VERSION = re.compile(r" \(version [^()]*(?:\([^()]*\)[^()]*)?\)")

DAMAGED_BYTES = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        33,  # CANNOT_READ_ALL_DATA
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        407,  # DECIMAL_OVERFLOW
        444,  # UNKNOWN_PROTOBUF_FORMAT
    }
)
"""What an insert answers when the bytes are at fault: parsing them, or a view over what they hold."""

PASSING = frozenset(
    {
        75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR
        173,  # CANNOT_ALLOCATE_MEMORY
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        204,  # CANNOT_FSYNC
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        289,  # REPLICA_IS_NOT_IN_QUORUM
        319,  # UNKNOWN_STATUS_OF_INSERT
        439,  # CANNOT_SCHEDULE_TASK
        473,  # DEADLOCK_AVOIDED
        745,  # SERVER_OVERLOADED
        999,  # KEEPER_EXCEPTION
    }
)
"""A store in trouble: whatever was asked, it may succeed later."""

PASSING_FOR_INSERTS = PASSING | {
    159,  # TIMEOUT_EXCEEDED
    160,  # TOO_SLOW
    241,  # MEMORY_LIMIT_EXCEEDED
    394,  # QUERY_WAS_CANCELLED
}
"""An insert that was too much now may fit later; a query that was too much has to ask for less."""


def code_of(text: str) -> int | None:
    """Return ClickHouse's error code named in the text, or None when there is none."""
    found = _CODE.search(text)
    return int(found.group(1)) if found else None


def message_of(text: str) -> str:
    """Return the engine's message in one line, without the code and the engine's version."""
    said = " ".join(_VERSION.sub("", _CODE.split(text)[-1]).split())
    return _TWICE.sub(r"\1", _EXPECTED.sub("", said))


def query_error(text: str, code: int | None = None) -> StoreError:
    """Return the exception for a failed statement that brought no data."""
    code = code_of(text) if code is None else code
    kind = StoreUnavailableError if code in PASSING else StoreError
    return kind(message_of(text), code)


def insert_error(text: str, code: int | None = None) -> StoreError:
    """Return the exception for a failed insert: damaged bytes are told from a store in trouble."""
    code = code_of(text) if code is None else code
    if code in DAMAGED_BYTES:
        return PoisonError(message_of(text), code)
    kind = StoreUnavailableError if code in PASSING_FOR_INSERTS else StoreError
    return kind(message_of(text), code)
