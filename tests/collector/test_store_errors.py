"""ClickHouse's error texts, as they were seen, and what becomes of them."""

import pytest

from livemeter_collector.store.contract import PoisonError, StoreError, StoreUnavailableError
from livemeter_collector.store.errors import insert_error, query_error

TRUNCATED = (
    "Streaming insert finish failed: Code: 33. DB::Exception: Cannot read all data. Bytes read: 14."
    " Bytes expected: 16: (at row 1)\n: While executing ProtobufRowInputFormat. (CANNOT_READ_ALL_DATA)"
    " (version 26.9.2.1)"
)
TWICE = (
    "Code: 47. DB::Exception: Code: 47. DB::Exception: Unknown identifier x. (UNKNOWN_IDENTIFIER)"
    " (version 26.2.4.23 (official build)). (UNKNOWN_IDENTIFIER) (version 26.2.4.23 (official build))"
)


def test_a_message_is_one_line_without_code_and_version() -> None:
    error = insert_error(TRUNCATED)
    assert str(error) == (
        "Cannot read all data. Bytes read: 14. Bytes expected: 16: (at row 1) : While executing"
        " ProtobufRowInputFormat. (CANNOT_READ_ALL_DATA)"
    )
    assert error.code == 33
    assert str(query_error(TWICE)) == "Unknown identifier x. (UNKNOWN_IDENTIFIER)"


def test_a_list_of_every_keyword_is_left_out() -> None:
    keywords = ", ".join(["SELECT query", "WITH", "SHOW"] * 30)
    said = "Code: 62. DB::Exception: Syntax error: failed at position 1 (x)."
    text = f"{said} Expected one of: {keywords}. (SYNTAX_ERROR)"
    assert str(query_error(text)) == "Syntax error: failed at position 1 (x). (SYNTAX_ERROR)"
    short = "Code: 62. DB::Exception: Syntax error. Expected one of: FROM, WHERE. (SYNTAX_ERROR)"
    assert str(query_error(short)) == "Syntax error. Expected one of: FROM, WHERE. (SYNTAX_ERROR)"


@pytest.mark.parametrize(
    ("code", "of_an_insert", "of_a_query"),
    [
        (33, PoisonError, StoreError),
        (32, PoisonError, StoreError),
        (444, PoisonError, StoreError),
        (27, PoisonError, StoreError),
        (190, PoisonError, StoreError),
        (131, PoisonError, StoreError),
        (252, StoreUnavailableError, StoreUnavailableError),
        (210, StoreUnavailableError, StoreUnavailableError),
        (999, StoreUnavailableError, StoreUnavailableError),
        (241, StoreUnavailableError, StoreError),
        (159, StoreUnavailableError, StoreError),
        (60, StoreError, StoreError),
        (47, StoreError, StoreError),
    ],
)
def test_what_may_be_tried_again(
    code: int, of_an_insert: type[StoreError], of_a_query: type[StoreError]
) -> None:
    text = f"Code: {code}. DB::Exception: something. (NAME)"
    assert type(insert_error(text)) is of_an_insert
    assert type(query_error(text)) is of_a_query


def test_a_text_without_a_code_has_none() -> None:
    assert query_error("the engine is gone").code is None
    assert str(query_error("the engine\nis gone")) == "the engine is gone"
