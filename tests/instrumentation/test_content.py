"""Content: where it goes, what redaction and the limit do to it, and that none leaves by accident."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from livemeter import guard
from livemeter.settings import ContentCapture, Settings
from livemeter.vocabulary import Attribute, Event
from tests.instrumentation.examples import FACTS, STARTED, TOOL_CALL, TRANSCRIPT
from tests.instrumentation.memory import Memory

TOOL_SPAN = "execute_tool get_weather"
TOOL_CONTENT = {Attribute.TOOL_ARGUMENTS: '{"city":"Köln"}', Attribute.TOOL_RESULT: '{"celsius":21}'}


def emit(memory: Memory, mode: ContentCapture, **settings: Any) -> None:
    memory.emitter.settings = Settings(capture_content=mode, **settings)
    memory.emit([STARTED, TOOL_CALL, TRANSCRIPT])


def on_event(memory: Memory) -> dict[str, Any]:
    [record] = [record for record in memory.records if record.event_name == Event.TOOL_CALL]
    return content_of(dict(record.attributes or {}))


def on_span(memory: Memory) -> dict[str, Any]:
    return content_of(dict(memory.span(TOOL_SPAN).attributes or {}))


def content_of(attributes: dict[str, Any]) -> dict[str, Any]:
    names = {*TOOL_CONTENT, Attribute.CONTENT_TRUNCATED}
    return {name: value for name, value in attributes.items() if name in names}


def transcripts(memory: Memory) -> list[Any]:
    return [record.body for record in memory.records if record.event_name == Event.TRANSCRIPT]


@pytest.mark.parametrize(
    ("mode", "event", "span", "said"),
    [
        (ContentCapture.NO_CONTENT, {}, {}, []),
        (ContentCapture.EVENT_ONLY, TOOL_CONTENT, {}, [TRANSCRIPT.text]),
        (ContentCapture.SPAN_ONLY, {}, TOOL_CONTENT, []),
        (ContentCapture.SPAN_AND_EVENT, TOOL_CONTENT, TOOL_CONTENT, [TRANSCRIPT.text]),
    ],
)
def test_content_goes_where_the_setting_says(
    memory: Memory, mode: ContentCapture, event: dict[str, str], span: dict[str, str], said: list[str]
) -> None:
    emit(memory, mode)
    assert (on_event(memory), on_span(memory), transcripts(memory)) == (event, span, said)


def test_nothing_that_was_said_leaves_by_default(memory: Memory) -> None:
    memory.emit(FACTS)
    exported = f"{memory.records}{[(span.name, dict(span.attributes or {})) for span in memory.spans]}"
    assert "Köln" not in exported
    assert "celsius" not in exported


def test_a_transcript_says_whose_words_it_holds(memory: Memory) -> None:
    emit(memory, ContentCapture.EVENT_ONLY)
    [record] = [record for record in memory.records if record.event_name == Event.TRANSCRIPT]
    attributes = dict(record.attributes or {})
    assert attributes[Attribute.TRANSCRIPT_SIDE] == "input"
    assert attributes[Attribute.TURN] == TRANSCRIPT.turn
    assert Attribute.CONTENT_TRUNCATED not in attributes


def test_content_that_is_too_long_is_cut_and_marked(memory: Memory) -> None:
    emit(memory, ContentCapture.SPAN_AND_EVENT, content_limit=14)
    cut = {**TOOL_CONTENT, Attribute.TOOL_ARGUMENTS: '{"city":"Köln"', Attribute.CONTENT_TRUNCATED: True}
    assert len(TOOL_CONTENT[Attribute.TOOL_RESULT]) == 14
    assert on_event(memory) == on_span(memory) == cut
    assert transcripts(memory) == ["Wie ist das We"]


def test_redaction_sees_the_whole_text_before_it_is_cut(memory: Memory) -> None:
    seen: list[str] = []

    def redact(text: str) -> str:
        seen.append(text)
        return text.replace("Köln", "[city]")

    emit(memory, ContentCapture.SPAN_AND_EVENT, redact=redact, content_limit=16)
    assert seen == [*TOOL_CONTENT.values(), TRANSCRIPT.text]
    assert on_event(memory)[Attribute.TOOL_ARGUMENTS] == '{"city":"[city]"'
    assert on_event(memory)[Attribute.CONTENT_TRUNCATED] is True
    assert transcripts(memory) == ["Wie ist das Wett"]


def fails(text: str) -> str:
    raise RuntimeError(f"cannot redact {text}")


def returns_bytes(text: str) -> bytes:
    return text.encode()


def returns_nothing(text: str) -> None:
    return None


@pytest.mark.parametrize("redact", [fails, returns_bytes, returns_nothing])
def test_content_that_cannot_be_redacted_stays_here_and_is_told_once(
    memory: Memory,
    redact: Callable[[str], Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(guard, "_reported", set[tuple[str, str]]())
    guard.strict(False)
    emit(memory, ContentCapture.SPAN_AND_EVENT, redact=redact)
    emit(memory, ContentCapture.SPAN_AND_EVENT, redact=redact)
    assert transcripts(memory) == []
    assert all("Köln" not in f"{record.attributes}{record.body!r}" for record in memory.records)
    assert [record.event_name for record in memory.records].count(Event.TOOL_CALL) == 2
    [warning] = [record.getMessage() for record in caplog.records]
    assert "redact content" in warning
    assert "Köln" not in warning


def test_a_piece_that_redaction_emptied_is_absent(memory: Memory) -> None:
    emit(memory, ContentCapture.SPAN_AND_EVENT, redact=lambda _: "")
    assert (on_event(memory), on_span(memory), transcripts(memory)) == ({}, {}, [])


def test_half_a_surrogate_pair_in_content_costs_a_character(memory: Memory) -> None:
    memory.emitter.settings = Settings(capture_content=ContentCapture.EVENT_ONLY)
    memory.emit([replace(TRANSCRIPT, text="gut\ud83d")])
    assert transcripts(memory) == ["gut?"]
