"""What is odd about a tool response's text and shape, found in bounded work and without ever raising."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.observer.encoding import (
    MAX_CHARACTERS,
    MAX_INNER_CHARACTERS,
    MAX_VALUES,
    compact,
    findings,
    wire_bytes,
)
from livemeter.vocabulary import EncodingFinding as Finding
from tests.observer.harness import Json, elements
from tests.observer.strategies import JSON_VALUES

TEXT = {Finding.NON_ASCII, Finding.LONE_SURROGATE, Finding.CONTROL_CHARACTER}


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ("done", {Finding.NOT_AN_OBJECT}),
        (7, {Finding.NOT_AN_OBJECT}),
        (False, {Finding.NOT_AN_OBJECT}),
        ([], {Finding.NOT_AN_OBJECT}),
        ([{"output": "done"}], {Finding.NOT_AN_OBJECT}),
        ({"output": "done"}, {Finding.PLAIN_STRING}),
        ({"output": "done", "note": ""}, {Finding.PLAIN_STRING}),
        ({"output": "done", "count": 1}, set()),
        ({"ok": True, "error": None}, set()),
        ({"output": {}}, {Finding.NESTED_OBJECT}),
        ({"output": []}, {Finding.NESTED_OBJECT}),
        ({"output": "done", "more": {"a": 1}}, {Finding.NESTED_OBJECT}),
        ({}, set()),
        (None, set()),
    ],
)
def test_the_shape_of_a_response(response: object, found: set[Finding]) -> None:
    assert findings(response) == found


@pytest.mark.parametrize(
    ("string", "found"),
    [
        ("plain\ttext\r\n", set[Finding]()),
        (" ~", set[Finding]()),
        ("é", {Finding.NON_ASCII}),
        ("\N{GRINNING FACE}", {Finding.NON_ASCII}),
        ("\ud83d", {Finding.NON_ASCII, Finding.LONE_SURROGATE}),
        (chr(0xDE00), {Finding.NON_ASCII, Finding.LONE_SURROGATE}),
        ("\x00", {Finding.CONTROL_CHARACTER}),
        ("\x1b[0m", {Finding.CONTROL_CHARACTER}),
        ("\x7f", {Finding.CONTROL_CHARACTER}),
        ("\x85", {Finding.CONTROL_CHARACTER, Finding.NON_ASCII}),
        ("\xa0", {Finding.NON_ASCII}),
    ],
)
def test_text_is_searched_in_keys_and_values_at_any_depth(string: str, found: set[Finding]) -> None:
    places: list[object] = [
        string,
        {"a": string},
        {string: 1},
        {"a": [{"b": [1, {"c": string}]}]},
        {"a": {"b": {string: None}}},
        {"a": [1], "b": [[string]]},
    ]
    assert [findings(response) & TEXT for response in places] == [found] * len(places)


def test_control_characters_are_those_of_unicode_but_for_layout() -> None:
    found = {n for n in range(0x3000) if Finding.CONTROL_CHARACTER in findings({"r": chr(n)})}
    assert found == {n for n in range(0x3000) if unicodedata.category(chr(n)) == "Cc"} - {9, 10, 13}


@pytest.mark.parametrize(
    "frame", ['{"r":"\\ud83d\\ude00"}', '{"r":"\N{GRINNING FACE}"}', '{"r":"\\ud83d\\ude00 \\u00e9"}']
)
def test_a_pair_of_surrogate_escapes_is_one_character(frame: str) -> None:
    assert findings(json.loads(frame)) == {Finding.NON_ASCII, Finding.PLAIN_STRING}


@pytest.mark.parametrize("frame", ['{"r":"\\ud83d"}', '{"r":"\\ude00\\ud83d"}', '{"r":"\\ud83d \\ude00"}'])
def test_half_a_pair_is_found_as_json_spells_it(frame: str) -> None:
    assert Finding.LONE_SURROGATE in findings(json.loads(frame))


def test_bytes_that_were_no_utf_8_are_said_beside_all_else() -> None:
    assert findings({"a": "b"}, valid_utf8=False) == {Finding.INVALID_UTF8, Finding.PLAIN_STRING}
    assert findings(None, valid_utf8=False) == {Finding.INVALID_UTF8}


@pytest.mark.parametrize("inner", ['{"a":1}', "[]", ' \n{"a": [1]}', json.dumps([{"b": "c"}])])
def test_json_that_was_encoded_twice_is_found(inner: str) -> None:
    assert findings({"output": inner}) == {Finding.JSON_IN_STRING, Finding.PLAIN_STRING}
    assert findings(inner) == {Finding.JSON_IN_STRING, Finding.NOT_AN_OBJECT}
    assert findings({"a": [{"b": inner}]}) == {Finding.JSON_IN_STRING, Finding.NESTED_OBJECT}
    assert Finding.JSON_IN_STRING not in findings({inner: 1})


@pytest.mark.parametrize(
    "words", ["", "1", '"a"', "null", "[laughs]", "{name} was here", "{", '{"a":1', "a {}"]
)
def test_text_that_is_no_json_object_or_array_is_none(words: str) -> None:
    assert findings({"output": words}) == {Finding.PLAIN_STRING}


def test_brackets_deeper_than_json_can_be_read_are_no_finding() -> None:
    assert findings({"output": "[" * MAX_INNER_CHARACTERS}) == {Finding.PLAIN_STRING}


# The bounds.


def test_values_are_looked_at_up_to_a_number() -> None:
    # The list itself is one value, and the response another.
    assert Finding.NON_ASCII in findings({"a": [*([1] * (MAX_VALUES - 3)), "é"]})
    assert Finding.NON_ASCII not in findings({"a": [*([1] * (MAX_VALUES - 2)), "é"]})


def test_of_more_values_than_are_looked_at_no_shape_is_claimed() -> None:
    many: Json = {str(number): "x" for number in range(MAX_VALUES)}
    assert findings(many) == {Finding.PLAIN_STRING}
    assert findings({**many, "last": "x"}) == set()
    assert findings({**many, "last": {}}) == set()


def test_characters_are_looked_at_up_to_a_number() -> None:
    assert findings({"": "x" * (MAX_CHARACTERS - 1) + "\x00"}) & TEXT == {Finding.CONTROL_CHARACTER}
    assert findings({"": "x" * MAX_CHARACTERS + "\x00"}) & TEXT == set()
    assert findings({"a": "x" * (MAX_CHARACTERS - 1), "b": "\x00"}) & TEXT == set()
    assert findings({"a": "x" * (MAX_CHARACTERS - 3), "b": "\x00"}) & TEXT == {Finding.CONTROL_CHARACTER}


def test_json_in_strings_is_tried_up_to_a_number_of_characters() -> None:
    fits = "[" + " " * (MAX_INNER_CHARACTERS - 2) + "]"
    assert Finding.JSON_IN_STRING in findings({"a": fits})
    assert Finding.JSON_IN_STRING not in findings({"a": fits + " "})
    # What was tried in vain before counts.
    assert Finding.JSON_IN_STRING not in findings({"a": "[" + "x" * (MAX_INNER_CHARACTERS - 2), "b": "[]"})
    assert Finding.JSON_IN_STRING in findings({"a": "[" + "x" * (MAX_INNER_CHARACTERS - 3), "b": "[]"})


def nested(levels: int, innermost: object) -> object:
    value = innermost
    for level in range(levels):
        value = [value] if level % 2 else {"é": value}
    return value


def test_nesting_deeper_than_the_stack_is_walked_and_measured() -> None:
    assert findings(nested(MAX_VALUES - 1, "\x00")) & TEXT == {Finding.NON_ASCII, Finding.CONTROL_CHARACTER}
    assert findings(nested(MAX_VALUES, "\x00")) & TEXT == {Finding.NON_ASCII}
    # 50,000 objects {"é":…} of 7 bytes around their value, 50,000 arrays of 2, and the string "\x00" of 8.
    deep = nested(100_000, "\x00")
    assert wire_bytes(deep) == 50_000 * 7 + 50_000 * 2 + 8
    assert compact(deep) == ""


# Properties, against oracles that are written another way.


def strings_of(value: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(value, str):
        yield value, True
    elif isinstance(value, dict):
        for key, item in cast("Json", value).items():
            yield key, False
            yield from strings_of(item)
    else:
        for item in elements(value):
            yield from strings_of(item)


def is_container(string: str) -> bool:
    try:
        return isinstance(json.loads(string), dict | list)
    except (ValueError, RecursionError):
        return False


def expected(response: Any) -> set[Finding]:
    strings = list(strings_of(response))
    characters = [character for string, _ in strings for character in string]
    controls = [c for c in characters if unicodedata.category(c) == "Cc" and c not in "\t\r\n"]
    facts = {
        Finding.NON_ASCII: any(ord(character) > 127 for character in characters),
        Finding.LONE_SURROGATE: any(unicodedata.category(character) == "Cs" for character in characters),
        Finding.CONTROL_CHARACTER: bool(controls),
        Finding.JSON_IN_STRING: any(is_value and is_container(string) for string, is_value in strings),
        Finding.NOT_AN_OBJECT: response is not None and not isinstance(response, dict),
    }
    if isinstance(response, dict):
        kinds = {type(value) for value in cast("Json", response).values()}
        facts[Finding.PLAIN_STRING] = kinds == {str}
        facts[Finding.NESTED_OBJECT] = bool(kinds & {dict, list})
    return {finding for finding, is_so in facts.items() if is_so}


ODD_TEXT = st.text(st.characters(codec=None, categories=("Cc", "Cs", "Lu", "Zs", "So")), max_size=5)
ENCODED_TWICE = JSON_VALUES.map(json.dumps)
RESPONSES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(ODD_TEXT, ENCODED_TWICE, st.none(), st.integers(), st.booleans()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(RESPONSES | JSON_VALUES)
def test_all_that_is_there_is_found_and_nothing_else(response: Any) -> None:
    assert findings(response) == expected(response)


@given(JSON_VALUES)
def test_a_size_is_that_of_the_compact_json(value: Any) -> None:
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert wire_bytes(value) == len(written.encode("utf-8", "surrogatepass"))
    assert compact(value) == written.encode("utf-8", "replace").decode()


@given(JSON_VALUES)
def test_a_size_is_the_same_where_the_stack_is_too_short(value: Any) -> None:
    """Bracketed deeper than can be written at once: two bytes a level, and the value as ever."""
    deep = value
    for _ in range(1_100):
        deep = [deep]
    assert wire_bytes(deep) == wire_bytes(value) + 2_200


def test_the_compact_form_can_be_carried_by_utf_8() -> None:
    assert compact({"a": ["\ud83d", "é"]}).encode() == '{"a":["?","é"]}'.encode()
