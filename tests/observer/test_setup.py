"""The setup frame to facts, without content and without secrets."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from livemeter.observer.facts import Setup
from livemeter.observer.setup import hash_handle, read_setup
from tests.observer.harness import Json, to_snake
from tests.observer.strategies import JSON_VALUES

HANDLE = "a-resumption-handle"
WHOLE: Json = {
    "model": "models/gemini-3.8-live",
    "generationConfig": {
        "responseModalities": ["AUDIO"],
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    },
    "systemInstruction": {"parts": [{"text": "be brief"}]},
    "tools": [
        {"functionDeclarations": [{"name": "get_time"}, {"name": "score"}]},
        {"googleSearch": {}},
        {"functionDeclarations": [{"name": "hang_up"}]},
    ],
    "sessionResumption": {"handle": HANDLE},
    "contextWindowCompression": {"triggerTokens": "25000", "slidingWindow": {"targetTokens": 8000}},
    "realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}},
    "inputAudioTranscription": {},
    "outputAudioTranscription": {},
}


@pytest.mark.parametrize("setup", [WHOLE, to_snake(WHOLE)])
def test_the_whole_setup_is_read_in_both_spellings(setup: Json) -> None:
    assert replace(read_setup(setup), instruction_hash="") == Setup(
        model="gemini-3.8-live",
        response_modalities=("AUDIO",),
        voice="Kore",
        vad_mode="manual",
        input_transcription=True,
        output_transcription=True,
        session_resumption=True,
        resumption_handle_hash=hashlib.sha256(HANDLE.encode()).hexdigest()[:32],
        compression=True,
        compression_trigger_tokens=25_000,
        compression_target_tokens=8_000,
        declared_tools=("get_time", "score", "hang_up"),
        # {"parts":[{"text":"be brief"}]}: strings of 7 + 6 + 10 bytes, and 8 of punctuation.
        instruction_bytes=31,
    )


def test_the_frame_that_google_genai_writes_is_read() -> None:
    captured: Json = {
        "model": "models/gemini-3.8-live",
        "sessionResumption": {"handle": "h"},
        "inputAudioTranscription": {},
        "realtimeInputConfig": {"automatic_activity_detection": {"disabled": False}},
        "contextWindowCompression": {"trigger_tokens": 25000, "sliding_window": {"target_tokens": 8000}},
    }
    facts = read_setup(captured)
    assert facts.vad_mode == "automatic"
    assert (facts.compression_trigger_tokens, facts.compression_target_tokens) == (25_000, 8_000)
    assert (facts.input_transcription, facts.output_transcription) == (True, False)


def test_neither_handle_nor_instruction_leave_the_frame() -> None:
    told = repr(read_setup(WHOLE))
    assert HANDLE not in told
    assert "be brief" not in told


def test_the_instruction_is_known_again_by_its_hash() -> None:
    first, same, other = (
        read_setup({"systemInstruction": {"parts": [{"text": words}]}}).instruction_hash
        for words in ("be brief", "be brief", "be kind")
    )
    assert first == same != other
    assert len(first) == 32


@pytest.mark.parametrize(
    ("sent", "model", "location"),
    [
        ("models/gemini-3.8-live", "gemini-3.8-live", ""),
        ("gemini-3.8-live", "gemini-3.8-live", ""),
        (
            "projects/p/locations/us-central1/publishers/google/models/gemini-live-2.5-flash",
            "gemini-live-2.5-flash",
            "us-central1",
        ),
    ],
)
def test_the_model_is_bare_and_its_location_told(sent: str, model: str, location: str) -> None:
    facts = read_setup({"model": sent})
    assert (facts.model, facts.location) == (model, location)


def test_what_is_not_configured_is_absent() -> None:
    assert read_setup({"model": "models/m"}) == Setup(model="m", vad_mode="automatic")


def test_resumption_and_compression_can_be_on_without_any_setting() -> None:
    facts = read_setup({"sessionResumption": {}, "contextWindowCompression": {}})
    assert (facts.session_resumption, facts.resumption_handle_hash) == (True, "")
    assert (facts.compression, facts.compression_trigger_tokens) == (True, None)


def test_a_handle_that_is_null_is_none() -> None:
    assert read_setup({"sessionResumption": {"handle": None}}).resumption_handle_hash == ""


def test_a_handle_is_kept_as_128_bits_of_its_sha_256() -> None:
    # The first half of the published SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    assert hash_handle("abc") == "ba7816bf8f01cfea414140de5dae2223"


@given(JSON_VALUES)
def test_a_setup_of_any_shape_can_be_read(setup: Any) -> None:
    assert isinstance(read_setup(setup), Setup)
