"""Whatever may cross a socket: noise, any JSON, and the protocol's own words put together wrongly."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any, cast

from hypothesis import strategies as st

from livemeter.vocabulary import Direction
from tests.observer.harness import (
    ACTIVITY_END,
    ACTIVITY_START,
    CAMERA,
    GENERATION_COMPLETE,
    INTERRUPTED,
    REALTIME_TEXT,
    SETUP_COMPLETE,
    STILL_WORKING,
    TURN_COMPLETE,
    Json,
    ask,
    audio,
    bundle,
    cancellation,
    details,
    elements,
    go_away,
    heard,
    microphone,
    new_handle,
    said,
    setup,
    tool_call,
    tool_response,
    usage,
    words,
)

Step = tuple[Direction, str | bytes, float]
"""A frame and the milliseconds that passed before it."""

_WORDS = re.findall(
    r"\w+",
    """
    setup model sessionResumption handle systemInstruction tools functionDeclarations contextWindowCompression
    triggerTokens realtimeInput audio video text mediaChunks activityStart activityEnd data mimeType
    clientContent turnComplete toolResponse functionResponses functionCalls id ids name args response error
    serverContent modelTurn parts inlineData thought interrupted generationComplete interactionStatus
    inputTranscription outputTranscription groundingMetadata webSearchQueries usageMetadata promptTokenCount
    responseTokenCount candidates_token_count promptTokensDetails responseTokensDetails modality tokenCount
    trafficType goAway
    timeLeft sessionResumptionUpdate newHandle resumable toolCall toolCallCancellation setupComplete sessionId
    """,
)

TRAPS: list[Any] = [
    *("", "a", "7", "50s", "nans", "1e999s", "9" * 5000),
    *("AUDIO", "IN_PROGRESS", "AAAA", "\ud83d", "image/jpeg"),
    *("audio/pcm;rate=16000", "audio/pcm;rate=0", "audio/pcm;rate=" + "9" * 400),
    *(None, True, False, -1, 2**53, 2**70, 1.5, float("nan"), float("inf")),
    *([], {}, [None], [[]], [{}], [{"modality": "AUDIO"}], {"": 1}),
]
"""Values that break careless readers."""

_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**52, max_value=2**70),
    st.floats(),
    st.text(max_size=10),
    st.sampled_from(TRAPS),
)

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
_OBJECTS = st.dictionaries(st.sampled_from(_WORDS), JSON_VALUES, max_size=4)
_FOREIGN = st.one_of(
    st.binary(max_size=40), st.text(max_size=40), JSON_VALUES.map(json.dumps), _OBJECTS.map(json.dumps)
)

_TOOL: Json = {"id": "a", "name": "f", "args": {"x": 1}}
_ANSWERS: list[Json] = [
    {"id": "a", "name": "f", "response": {}},
    {"name": "f"},
    {"id": "z", "response": {"error": 1}},
]
_SENT: list[Json] = [
    setup(),
    setup(handle="h1"),
    {"setup": {}},
    microphone(),
    CAMERA,
    REALTIME_TEXT,
    ACTIVITY_START,
    ACTIVITY_END,
    ask(),
    ask(turn_complete=False),
    *(tool_response(answer) for answer in _ANSWERS),
    tool_response(*_ANSWERS),
]
_RECEIVED: list[Json] = [
    SETUP_COMPLETE,
    audio(),
    words("Hi"),
    heard("Hi"),
    said("Hi"),
    INTERRUPTED,
    GENERATION_COMPLETE,
    STILL_WORKING,
    TURN_COMPLETE,
    usage(10, 2),
    usage(12, 2),
    usage(12, 2, promptTokensDetails=details(TEXT=12), trafficType="ON_DEMAND"),
    bundle(STILL_WORKING, usage(10, 2)),
    bundle(TURN_COMPLETE, usage(10, 2)),
    bundle(audio(), said("Hi"), TURN_COMPLETE, usage(12, 2)),
    tool_call(_TOOL, {"id": "b", "name": "g"}),
    cancellation("a"),
    go_away(),
    new_handle("h1"),
    new_handle(""),
]


def _places(value: Any) -> list[tuple[str | int, ...]]:
    """The ways to every value inside, itself included."""
    inside: list[tuple[str | int, Any]] = list(enumerate(elements(value)))
    if isinstance(value, dict):
        inside += cast("Json", value).items()
    return [(), *((key, *place) for key, item in inside for place in _places(item))]


def _with(value: Any, place: tuple[str | int, ...], replacement: Any) -> Any:
    if not place:
        return replacement
    changed = copy.copy(value)
    changed[place[0]] = _with(value[place[0]], place[1:], replacement)
    return changed


def damaged_frames(damage: Any) -> Iterator[tuple[Direction, str]]:
    """Every frame of the protocol with ``damage`` in the place of every value, one at a time."""
    for direction, messages in ((Direction.SENT, _SENT), (Direction.RECEIVED, _RECEIVED)):
        for message in messages:
            for place in _places(message):
                yield direction, json.dumps(_with(message, place, damage))


_PASSED_MS = st.sampled_from([0.0, 1.0, 20.0, 600.0])

PROTOCOL_STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just(Direction.SENT), st.sampled_from(_SENT).map(json.dumps), _PASSED_MS),
    st.tuples(st.just(Direction.RECEIVED), st.sampled_from(_RECEIVED).map(json.dumps), _PASSED_MS),
)
"""Frames of the protocol in any order, sensible or not."""

ANY_STEPS: st.SearchStrategy[Step] = st.one_of(
    PROTOCOL_STEPS, st.tuples(st.sampled_from(Direction), _FOREIGN, _PASSED_MS)
)
"""The same among frames that nobody should send."""
