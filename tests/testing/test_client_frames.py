"""What clients send: one spelling, kinds, audio milliseconds."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.testing.client_frames import kind_fits, parse_client_message


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ('{"setup":{"model":"models/m"}}', ("setup",)),
        ('{"client_content":{"turns":[],"turnComplete":true}}', ("clientContent", "turn")),
        ('{"clientContent":{"turns":[],"turn_complete":true}}', ("clientContent", "turn")),
        ('{"client_content":{"turns":[],"turnComplete":false}}', ("clientContent",)),
        ('{"clientContent":{"turns":[]}}', ("clientContent",)),
        ('{"realtime_input":{"audio":{"data":"AAA=","mime_type":"audio/pcm"}}}', ("realtimeInput.audio",)),
        ('{"realtime_input":{"video":{"data":"_9g=","mime_type":"image/jpeg"}}}', ("realtimeInput.video",)),
        (
            '{"realtime_input":{"mediaChunks":[{"data":"AAA=","mime_type":"audio/pcm"}]}}',
            ("realtimeInput.audio",),
        ),
        (
            '{"realtimeInput":{"media_chunks":[{"data":"AAA=","mimeType":"image/png"}]}}',
            ("realtimeInput.video",),
        ),
        ('{"realtime_input":{"text":"hello"}}', ("realtimeInput.text", "turn")),
        ('{"realtime_input":{"activityStart":{}}}', ("realtimeInput.activityStart",)),
        ('{"realtime_input":{"activity_end":{}}}', ("realtimeInput.activityEnd", "turn")),
        ('{"realtime_input":{"audioStreamEnd":true}}', ("realtimeInput.audioStreamEnd", "turn")),
        ('{"realtimeInput":{}}', ("realtimeInput",)),
        ('{"tool_response":{"functionResponses":[]}}', ("toolResponse",)),
        ('{"contextUpdate":{"tools":{"tools":[]}}}', ("contextUpdate",)),
        ('{"something":{}}', ("unknown",)),
        ("{}", ("unknown",)),
        ("[1]", ("invalid",)),
        ("not json", ("invalid",)),
    ],
)
def test_every_client_message_gets_its_kinds_in_either_spelling(text: str, kinds: tuple[str, ...]) -> None:
    assert parse_client_message(text).kinds == kinds
    assert parse_client_message(text.encode()).kinds == kinds


def test_bytes_that_are_not_utf8_are_invalid_and_fit_nothing() -> None:
    kinds = parse_client_message(b"\xff\xfe{").kinds
    assert kinds == ("invalid",)
    assert not kind_fits(kinds, "any")


def test_a_message_that_bundles_several_inputs_has_all_their_kinds() -> None:
    kinds = parse_client_message('{"realtimeInput":{"audio":{"data":""},"activityEnd":{}}}').kinds
    assert kinds == ("realtimeInput.audio", "realtimeInput.activityEnd", "turn")


def test_a_family_of_kinds_and_any_fit_the_kinds_in_them() -> None:
    assert kind_fits(("realtimeInput.audio",), "realtimeInput")
    assert kind_fits(("realtimeInput.text", "turn"), "turn")
    assert kind_fits(("contextUpdate",), "any")
    assert not kind_fits(("realtimeInput.audio",), "realtimeInput.activityEnd")
    assert not kind_fits(("clientContent",), "turn")


def test_names_of_the_protocol_become_camel_case_at_every_level() -> None:
    setup: dict[str, Any] = {
        "model": "m",
        "realtimeInputConfig": {"automatic_activity_detection": {"disabled": False}},
        "context_window_compression": {"sliding_window": {"target_tokens": 8000}},
        "tools": [{"function_declarations": [{"name": "f", "parameters": {"any_of": []}}]}],
    }
    assert parse_client_message(json.dumps({"setup": setup})).content["setup"] == {
        "model": "m",
        "realtimeInputConfig": {"automaticActivityDetection": {"disabled": False}},
        "contextWindowCompression": {"slidingWindow": {"targetTokens": 8000}},
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"anyOf": []}}]}],
    }


def test_names_of_the_application_stay_as_sent() -> None:
    declaration = {"parameters": {"properties": {"home_city": {"max_length": 3}}}, "name": "f"}
    setup = {"labels": {"call_id": "1"}, "tools": [{"function_declarations": [declaration]}]}
    content = parse_client_message(json.dumps({"setup": setup})).content["setup"]
    assert content["labels"] == {"call_id": "1"}
    parameters = content["tools"][0]["functionDeclarations"][0]["parameters"]
    assert parameters == {"properties": {"home_city": {"maxLength": 3}}}
    response = {
        "tool_response": {"function_responses": [{"name": "f", "response": {"top_speed": {"in_kmh": 1}}}]}
    }
    content = parse_client_message(json.dumps(response)).content
    assert content["toolResponse"]["functionResponses"][0]["response"] == {"top_speed": {"in_kmh": 1}}


@given(audio=st.binary(max_size=4000), url_safe=st.booleans())
def test_audio_milliseconds_follow_from_the_bytes_in_either_base64(audio: bytes, url_safe: bool) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    blob = {"data": encode(audio).decode(), "mime_type": "audio/pcm;rate=8000"}
    message = parse_client_message(json.dumps({"realtime_input": {"audio": blob}}))
    assert message.audio_ms == pytest.approx(len(audio) / 2 / 8)


def test_audio_without_a_rate_counts_as_16_khz_and_video_counts_nothing() -> None:
    data = base64.b64encode(bytes(3200)).decode()
    audio = {"realtimeInput": {"audio": {"data": data, "mimeType": "audio/pcm"}}}
    video = {"realtimeInput": {"video": {"data": data, "mimeType": "image/jpeg"}}}
    assert parse_client_message(json.dumps(audio)).audio_ms == 100
    assert parse_client_message(json.dumps(video)).audio_ms == 0
