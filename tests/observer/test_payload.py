"""Reading foreign JSON: any spelling, any type, never an error."""

import pytest

from livemeter.observer.payload import count, duration_ms, find, get, has, objects, size, strings, text


@pytest.mark.parametrize("spelling", ["realtimeInput", "realtime_input", "RealtimeInput", "REALTIME_INPUT"])
def test_a_key_is_found_in_any_spelling(spelling: str) -> None:
    assert get({"other": 1, spelling: 2}, "realtimeInput") == 2
    assert has({"other": 1, spelling: None}, "realtimeInput")


def test_the_canonical_spelling_wins_where_both_are_there() -> None:
    assert get({"turn_complete": 1, "turnComplete": 2}, "turnComplete") == 2


def test_a_path_may_mix_spellings() -> None:
    message = {"realtime_input": {"audio": {"mime_type": "audio/pcm"}}}
    assert find(message, "realtimeInput", "audio", "mimeType") == "audio/pcm"


@pytest.mark.parametrize("value", [None, 1, "text", [{"key": 1}], True])
def test_nothing_is_found_in_what_is_no_object(value: object) -> None:
    assert get(value, "key") is None
    assert not has(value, "key")
    assert find({"outer": value}, "outer", "key") is None


def test_an_empty_value_is_there() -> None:
    """``activityEnd: {}`` says all it has to say by its key."""
    assert has({"activityEnd": {}}, "activityEnd")
    assert not has({}, "activityEnd")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (541, 541),
        ("541", 541),
        (2**53 - 1, 2**53 - 1),
        ("9007199254740991", 2**53 - 1),
        ("9007199254740992", None),
        (2**53, None),
        (-1, None),
        ("-1", None),
        ("", None),
        ("５", None),  # noqa: RUF001 - a digit for Unicode, none for JSON
        ("9" * 5000, None),
        (10**400, None),
        (1.5, None),
        (True, None),
        (None, None),
        ([1], None),
    ],
)
def test_a_token_count_is_a_whole_number_or_its_digits(value: object, expected: int | None) -> None:
    assert count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("50s", 50_000.0),
        ("1.5s", 1_500.0),
        ("0.250s", 250.0),
        ("50", None),
        ("s", None),
        ("soons", None),
        ("nans", None),
        ("1e999s", None),
        (50, None),
        (None, None),
    ],
)
def test_a_duration_is_seconds_with_an_s(value: object, expected: float | None) -> None:
    assert duration_ms(value) == expected


def test_text_is_a_string_or_empty() -> None:
    assert text("Grüße") == "Grüße"
    assert text(None) == text(1) == text(["a"]) == ""


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    """JSON can spell it, UTF-8 cannot, and one such string would spoil a whole export."""
    assert text("cut \ud83d") == "cut ?"
    assert strings(["\udc00"]) == ("?",)


def test_only_objects_and_only_strings_come_out_of_a_list() -> None:
    mixed: list[object] = [{"a": 1}, "b", 3, None, {"c": 2}]
    assert list(objects(mixed)) == [{"a": 1}, {"c": 2}]
    assert strings(mixed) == ("b",)
    assert list(objects({"a": 1})) == []
    assert strings("abc") == ()


def test_the_size_of_a_value_is_that_of_its_compact_utf8() -> None:
    # {"a":"é"} is 9 characters, of which é takes two bytes.
    assert size({"a": "é"}) == 10
    assert size({}) == 2
