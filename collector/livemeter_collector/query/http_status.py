"""The HTTP status of ClickHouse's error codes, as its own server answers them. Pure."""

from livemeter_collector.store.contract import DirectoryHeldError, StoreError, StoreUnavailableError

_BAD_REQUEST = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        25,  # CANNOT_PARSE_ESCAPE_SEQUENCE
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        36,  # BAD_ARGUMENTS
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        42,  # NUMBER_OF_ARGUMENTS_DOESNT_MATCH
        43,  # ILLEGAL_TYPE_OF_ARGUMENT
        44,  # ILLEGAL_COLUMN
        53,  # TYPE_MISMATCH
        62,  # SYNTAX_ERROR
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        80,  # INCORRECT_QUERY
        117,  # INCORRECT_DATA
        456,  # UNKNOWN_QUERY_PARAMETER
        457,  # BAD_QUERY_PARAMETER
    }
)
_NOT_FOUND = frozenset(
    {
        46,  # UNKNOWN_FUNCTION
        47,  # UNKNOWN_IDENTIFIER
        50,  # UNKNOWN_TYPE
        60,  # UNKNOWN_TABLE
        63,  # UNKNOWN_AGGREGATE_FUNCTION
        73,  # UNKNOWN_FORMAT
        81,  # UNKNOWN_DATABASE
        115,  # UNKNOWN_SETTING
    }
)
_OTHERS = {
    48: 501,  # NOT_IMPLEMENTED
    159: 408,  # TIMEOUT_EXCEEDED
    164: 403,  # READONLY
    202: 503,  # TOO_MANY_SIMULTANEOUS_QUERIES
    209: 503,  # SOCKET_TIMEOUT
    229: 413,  # QUERY_IS_TOO_LARGE
    439: 503,  # CANNOT_SCHEDULE_TASK
    497: 403,  # ACCESS_DENIED
}


def status_of(error: StoreError) -> int:
    """Return the status that tells a client what kind of failure it was."""
    if error.code in _BAD_REQUEST:
        return 400
    if error.code in _NOT_FOUND:
        return 404
    if error.code in _OTHERS:
        return _OTHERS[error.code]
    return 503 if isinstance(error, StoreUnavailableError | DirectoryHeldError) else 500
