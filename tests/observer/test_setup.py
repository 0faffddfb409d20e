"""The setup frame to facts, without content and without secrets."""

import hashlib
import json
from dataclasses import replace
from typing import Any, NoReturn, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemeter.observer.configuration import MAX_CHARACTERS, MAX_ITEMS, MAX_UNKNOWN_FIELDS
from livemeter.observer.facts import Setup
from livemeter.observer.setup import MAX_LABEL_CHARACTERS, MAX_LABELS, hash_handle, read_setup
from tests.observer.harness import Json, elements, to_snake
from tests.observer.strategies import JSON_VALUES

HANDLE = "a-resumption-handle"
WHOLE: Json = {
    "model": "models/gemini-3.8-live",
    "generationConfig": {
        "responseModalities": ["AUDIO"],
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        "thinkingConfig": {"thinkingBudget": 512, "thinkingLevel": "LOW"},
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
    "labels": {"team": "voice"},
}
SPELLED_BOTH_WAYS = pytest.mark.parametrize("setup", [WHOLE, to_snake(WHOLE)])


@SPELLED_BOTH_WAYS
def test_the_whole_setup_is_read_in_both_spellings(setup: Json) -> None:
    assert replace(read_setup(setup, size=1_234), config="") == Setup(
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
        instruction_hash=hashlib.sha256(b"be brief").hexdigest()[:32],
        thinking_budget=512,
        thinking_level="LOW",
        labels={"team": "voice"},
        bytes=1_234,
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
    assert json.loads(facts.config) == {"model": model}


def test_what_is_not_configured_is_absent() -> None:
    assert read_setup({"model": "models/m"}) == Setup(model="m", vad_mode="automatic", config='{"model":"m"}')


def test_what_is_no_setup_has_no_configuration() -> None:
    assert read_setup(None) == read_setup([]) == read_setup("AUDIO") == Setup(vad_mode="automatic")


def test_resumption_and_compression_can_be_on_without_any_setting() -> None:
    facts = read_setup({"sessionResumption": {}, "contextWindowCompression": {}})
    assert (facts.session_resumption, facts.resumption_handle_hash) == (True, "")
    assert (facts.compression, facts.compression_trigger_tokens) == (True, None)


def test_a_handle_that_is_null_is_none() -> None:
    assert read_setup({"sessionResumption": {"handle": None}}).resumption_handle_hash == ""


def test_a_handle_is_kept_as_128_bits_of_its_sha_256() -> None:
    # The first half of the published SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    assert hash_handle("abc") == "ba7816bf8f01cfea414140de5dae2223"


# The instruction's hash.


@pytest.mark.parametrize(
    "instruction",
    [
        "abc",
        {"parts": [{"text": "abc"}]},
        {"parts": {"text": "abc"}},
        {"role": "user", "parts": [{"text": "abc"}]},
        {"Parts": [{"inlineData": {"data": "AAAA"}}, {"text": "abc"}, None, 7]},
    ],
)
@pytest.mark.parametrize("key", ["systemInstruction", "system_instruction"])
def test_the_same_instruction_hashes_alike_however_it_was_sent(key: str, instruction: object) -> None:
    assert read_setup({key: instruction}).instruction_hash == "ba7816bf8f01cfea414140de5dae2223"


def test_another_text_has_another_hash() -> None:
    instructions = (
        {"parts": [{"text": text} for text in texts]} for texts in (["ab"], ["a", "b"], ["b", "a"])
    )
    assert len({read_setup({"systemInstruction": each}).instruction_hash for each in instructions}) == 3


@pytest.mark.parametrize(
    "wordless", [None, {}, {"parts": []}, {"parts": [{"fileData": {}}]}, {"parts": [{}]}, 7]
)
def test_an_instruction_without_text_has_no_hash(wordless: object) -> None:
    assert read_setup({"systemInstruction": wordless}).instruction_hash == ""


# Thinking, voices, labels.


@pytest.mark.parametrize(
    ("sent", "budget"),
    [(0, 0), (-1, -1), (1024, 1024), ("1024", 1024), (None, None), (-2, None), (True, None), (2**53, None)],
)
def test_a_thinking_budget_is_told_where_it_is_one(sent: object, budget: int | None) -> None:
    """Zero is off and -1 as the model likes."""
    setup = {"generationConfig": {"thinkingConfig": {"thinkingBudget": sent}}}
    assert read_setup(setup).thinking_budget == read_setup(to_snake(setup)).thinking_budget == budget


def speech(config: Json) -> Json:
    return {"generationConfig": {"speechConfig": config}}


KORE: Json = {"prebuiltVoiceConfig": {"voiceName": "Kore"}}
PUCK: Json = {"prebuiltVoiceConfig": {"voiceName": "Puck"}}
REPLICA: Json = {"replicatedVoiceConfig": {"mimeType": "audio/wav", "voiceSampleAudio": "AAAA"}}


@pytest.mark.parametrize(
    ("config", "voice"),
    [
        ({"voiceConfig": KORE}, "Kore"),
        ({"voiceConfig": {"voice": "Kore"}}, "Kore"),
        ({"voiceConfig": REPLICA}, ""),
        (
            {
                "multiSpeakerVoiceConfig": {
                    "speakerVoiceConfigs": [
                        {"speaker": "Ann", "voiceConfig": KORE},
                        {"speaker": "Bob", "voiceConfig": REPLICA},
                        {"speaker": "Cid", "voiceConfig": PUCK},
                    ]
                }
            },
            "Kore,Puck",
        ),
        ({"multiSpeakerVoiceConfig": {"speakerVoiceConfigs": {"speaker": "Ann"}}}, ""),
        ({"voiceConfig": "Kore"}, ""),
        ({"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": ["Kore"]}}}, ""),
    ],
)
def test_the_voice_is_told_where_it_has_a_name(config: Json, voice: str) -> None:
    assert read_setup(speech(config)).voice == read_setup(to_snake(speech(config))).voice == voice


def test_labels_are_strings_as_sent() -> None:
    labels = {
        "cost_center": "A-1",
        "costCenter": "b",
        "ünit": "ü",
        "n": 1,
        "none": None,
        "list": ["x"],
        "": "",
    }
    expected = {"cost_center": "A-1", "costCenter": "b", "ünit": "ü", "": ""}
    assert read_setup({"labels": labels}).labels == expected


def test_labels_are_bounded_in_number_and_length() -> None:
    kept = read_setup({"labels": {f"{number:03}" + "k" * 300: "v" * 300 for number in range(100)}}).labels
    assert [key[:3] for key in kept] == [f"{number:03}" for number in range(MAX_LABELS)]
    assert {len(word) for pair in kept.items() for word in pair} == {MAX_LABEL_CHARACTERS}


# The whole setup as JSON.


def config_of(setup: object) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(read_setup(setup).config, parse_constant=refuse)


FULL: Json = {
    **WHOLE,
    "generationConfig": {
        "responseModalities": ["AUDIO", "TEXT"],
        "temperature": 0.7,
        "topP": 0.95,
        "topK": 40,
        "maxOutputTokens": 2048,
        "seed": 7,
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
        "stopSequences": ["a", "b"],
        "enableAffectiveDialog": False,
        "thinkingConfig": {"thinkingBudget": -1, "thinkingLevel": "HIGH", "includeThoughts": True},
        "speechConfig": {"languageCode": "en-US", "voiceConfig": KORE},
        "translationConfig": {"targetLanguageCode": "de", "echoTargetLanguage": True},
    },
    "sessionResumption": {"handle": HANDLE, "transparent": True},
    "realtimeInputConfig": {
        "automaticActivityDetection": {
            "disabled": False,
            "startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
            "endOfSpeechSensitivity": "END_SENSITIVITY_HIGH",
            "prefixPaddingMs": 20,
            "silenceDurationMs": 100,
        },
        "activityHandling": "NO_INTERRUPTION",
        "turnCoverage": "TURN_INCLUDES_ONLY_ACTIVITY",
        "interimTranscriptTimestampEnabled": True,
    },
    "inputAudioTranscription": {
        "languageCodes": ["en-US", "de"],
        "customVocabulary": ["Livemeter"],
        "wordTimestamp": True,
        "diarization": False,
        "mode": "SMART",
    },
    "proactivity": {"proactiveAudio": True, "proactiveVideo": False},
    "historyConfig": {"initialHistoryInClientContent": True},
    "avatarConfig": {"avatarName": "Kai", "videoBitrateBps": 1_000_000, "customizedAvatar": {"x": "AAAA"}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "explicitVadSignal": True,
    "tools": [
        {
            "functionDeclarations": [
                {"name": "get_time", "behavior": "NON_BLOCKING"},
                {"name": "score", "description": "Score"},
            ]
        },
        {"googleSearch": {"excludeDomains": ["a.example"]}, "codeExecution": {}, "urlContext": None},
        {"newTool": {}},
    ],
    "fancyNewField": True,
}


@pytest.mark.parametrize("setup", [FULL, to_snake(FULL)])
def test_all_of_the_setup_but_its_content_is_told_in_both_spellings(setup: Json) -> None:
    assert config_of(setup) == {
        "model": "gemini-3.8-live",
        "generationConfig": {
            **FULL["generationConfig"],
            # ["a","b"] is 9 bytes.
            "stopSequences": {"count": 2, "bytes": 9},
        },
        "systemInstruction": {"bytes": 31},
        "tools": [
            {
                "functionDeclarations": {
                    # Two objects of 45 and 38 bytes, a comma between them and brackets around.
                    "bytes": 86,
                    "count": 2,
                    "names": ["get_time", "score"],
                    "behaviors": {"get_time": "NON_BLOCKING"},
                }
            },
            {"googleSearch": True, "codeExecution": True, "urlContext": None},
            {"newTool": {"bytes": 2}},
        ],
        "sessionResumption": {"handle": True, "transparent": True},
        "contextWindowCompression": {"triggerTokens": 25_000, "slidingWindow": {"targetTokens": 8_000}},
        "realtimeInputConfig": FULL["realtimeInputConfig"],
        # ["Livemeter"] is 13 bytes.
        "inputAudioTranscription": {
            **FULL["inputAudioTranscription"],
            "customVocabulary": {"count": 1, "bytes": 13},
        },
        "outputAudioTranscription": {},
        "proactivity": FULL["proactivity"],
        "historyConfig": FULL["historyConfig"],
        "avatarConfig": {
            "avatarName": "Kai",
            "videoBitrateBps": 1_000_000,
            "customizedAvatar": {"bytes": 12},
        },
        "safetySettings": FULL["safetySettings"],
        "explicitVadSignal": True,
        # {"team":"voice"} is 16 bytes.
        "labels": {"count": 1, "bytes": 16},
        "fancyNewField": {"bytes": 4},
    }


def test_a_configuration_is_compact() -> None:
    assert (
        read_setup({"model": "m", "explicit_vad_signal": True}).config
        == '{"model":"m","explicitVadSignal":true}'
    )


@pytest.mark.parametrize(
    ("setup", "config"),
    [
        # Named and not set: on one model a null handle alone closes the connection.
        ({"sessionResumption": {"handle": None}}, {"sessionResumption": {"handle": None}}),
        ({"sessionResumption": None, "fancy": None}, {"sessionResumption": None, "fancy": {"bytes": 4}}),
        # A known field of another type leaves as its size, like one that is not known.
        (
            {"generationConfig": {"temperature": "warm", "topK": True, "seed": float("nan"), "topP": 1e300}},
            {
                "generationConfig": {
                    "temperature": {"bytes": 6},
                    "topK": {"bytes": 4},
                    "seed": {"bytes": 3},
                    "topP": {"bytes": 6},
                }
            },
        ),
        ({"proactivity": True, "tools": {}}, {"proactivity": {"bytes": 4}, "tools": {"bytes": 2}}),
        ({"tools": [7, {}]}, {"tools": [{"bytes": 1}, {}]}),
        ({"explicitVadSignal": "true"}, {"explicitVadSignal": {"bytes": 6}}),
        # A sentence is no enum value; a number may be one.
        (
            {"realtimeInputConfig": {"turnCoverage": "all of it", "activityHandling": 2}},
            {"realtimeInputConfig": {"turnCoverage": {"bytes": 11}, "activityHandling": 2}},
        ),
        (
            {"outputAudioTranscription": {"languageCodes": ["en", "as it comes"]}},
            {"outputAudioTranscription": {"languageCodes": {"bytes": 20}}},
        ),
        # Nobody speaks so many languages: what is so long is something else.
        (
            {"generationConfig": {"responseModalities": ["A"] * 256}, "safetySettings": [{}] * 257},
            {"generationConfig": {"responseModalities": ["A"] * 256}, "safetySettings": {"bytes": 772}},
        ),
        (
            {"generationConfig": {"responseModalities": ["A"] * 257}, "safetySettings": [{}] * 256},
            {"generationConfig": {"responseModalities": {"bytes": 1029}}, "safetySettings": [{}] * 256},
        ),
        # A name that is none is not told, nor are more than a few.
        ({"what I said": 1, "": 12, "_x": 123}, {"?": {"bytes": 6}}),
        ({"some_new_field": 1, "some_newField": 1}, {"someNewField": {"bytes": 2}}),
        # Of two spellings the protocol's own counts, as everywhere.
        (
            {"generation_config": {"topK": 1}, "generationConfig": {"top_k": 2, "topK": 3, "TopK": 4}},
            {"generationConfig": {"topK": 3}},
        ),
    ],
)
def test_what_is_not_as_it_should_be_leaves_as_its_size(setup: Json, config: Json) -> None:
    assert config_of(setup) == config


def test_functions_without_a_proper_name_are_counted() -> None:
    functions: list[Any] = [{"name": "two words"}, {"description": "x"}, 7, {"name": "ns:get-time.v2"}]
    config = config_of({"tools": [{"functionDeclarations": functions}]})
    declared = config["tools"][0]["functionDeclarations"]
    assert (declared["count"], declared["names"]) == (4, ["ns:get-time.v2"])


def test_of_very_many_functions_the_first_are_named() -> None:
    functions = [{"name": f"f{number}"} for number in range(MAX_ITEMS + 1)]
    declared = config_of({"tools": [{"functionDeclarations": functions}]})["tools"][0]["functionDeclarations"]
    assert (declared["count"], len(declared["names"])) == (MAX_ITEMS + 1, MAX_ITEMS)


def test_unknown_fields_are_named_up_to_a_number() -> None:
    config = config_of({f"field{number}": number % 10 for number in range(MAX_UNKNOWN_FIELDS + 5)})
    assert config["?"] == {"bytes": 5}
    assert len(config) == MAX_UNKNOWN_FIELDS + 1


def test_a_configuration_that_is_too_long_loses_its_largest_fields_first() -> None:
    functions = [{"name": f"f{number:03}" + "x" * 120} for number in range(200)]
    settings = [{"category": "HARM_CATEGORY_HARASSMENT"}] * 100
    setup: Json = {**FULL, "tools": [{"functionDeclarations": functions}], "safetySettings": settings}
    told = read_setup(setup).config
    assert len(told) <= MAX_CHARACTERS
    # 200 objects of 135 bytes, 199 commas, brackets; {"functionDeclarations": and } around, and brackets.
    assert json.loads(told)["tools"] == {"bytes": 200 * 135 + 199 + 2 + 25 + 2}
    assert json.loads(told)["safetySettings"] == settings
    assert json.loads(told)["generationConfig"]["temperature"] == 0.7


# Content never: a marker in every place for words of people, and in all that nobody knows.

MARKER = "MARKER"


def marked(words: str, more: Any) -> Json:
    """A setup with ``words`` wherever a person's words may stand, and in fields that are not known."""
    schema = {"type": "OBJECT", "description": words, "properties": {words: {"enum": [words]}}, words: words}
    function = {"name": "f", "description": words, "parameters": schema, "response": schema, "new": more}
    transcription = {
        "languageCodes": ["en"],
        "customVocabulary": [words],
        "adaptationPhrases": [words, more],
        "sourceText": words,
        "languageHints": {"hint": words},
        "new": more,
    }
    replica = {
        "voiceSampleAudio": words,
        "consentAudio": words,
        "voiceConsentSignature": {"signature": words},
    }
    voice = {"replicatedVoiceConfig": replica, "new": more}
    return {
        "model": "models/m",
        "generationConfig": {
            "temperature": words,
            "stopSequences": [words],
            "responseSchema": schema,
            "responseJsonSchema": more,
            "thinkingConfig": {"includeThoughts": words, "new": more},
            "speechConfig": {
                "voiceConfig": voice,
                "multiSpeakerVoiceConfig": {
                    "speakerVoiceConfigs": [{"speaker": words, "voiceConfig": voice}]
                },
            },
            "translationConfig": {"new": more},
            "audioTranscriptionConfig": transcription,
            "new": words,
        },
        "systemInstruction": {"role": words, "parts": [{"text": words}, more], "new": more},
        "tools": [
            {"functionDeclarations": [function, words, more]},
            {"googleSearch": {"excludeDomains": [words]}, "retrieval": {words: more}, "new": words},
            {"mcpServers": [{"name": words, "url": words}], "codeExecution": words, "fileSearch": more},
            words,
            [more],
        ],
        "sessionResumption": {"handle": words, "transparent": words, "new": more},
        "contextWindowCompression": {"slidingWindow": {"targetTokens": words, "new": more}, "new": words},
        "realtimeInputConfig": {"automaticActivityDetection": {"disabled": words, "new": more}, "new": words},
        "inputAudioTranscription": transcription,
        "outputAudioTranscription": transcription,
        "proactivity": {"proactiveAudio": words, "new": more},
        "historyConfig": {"history": [{"role": "user", "parts": [{"text": words}]}], "new": more},
        "avatarConfig": {"customizedAvatar": {"imageData": words}, "new": more},
        "safetySettings": [{"new": words}, words, [more]],
        "explicitVadSignal": words,
        "labels": {words: words, "more": more},
        "history": [words, more],
        "newField": {words: [words, more]},
    }


def with_marker(value: Any) -> Any:
    """The same JSON with the marker at the front of every string and key."""
    if isinstance(value, str):
        return MARKER + value
    if isinstance(value, dict):
        return {MARKER + key: with_marker(item) for key, item in cast("Json", value).items()}
    return [with_marker(item) for item in value] if elements(value) else value


@given(st.text(max_size=8), JSON_VALUES.map(with_marker), st.booleans())
def test_no_words_of_anybody_are_in_the_configuration(words: str, more: Any, snake: bool) -> None:
    setup = marked(MARKER + words, more)
    told = read_setup(to_snake(setup) if snake else setup)
    assert MARKER.lower() not in told.config.lower()
    # In all other facts they are labels alone.
    assert MARKER.lower() not in repr(replace(told, labels={})).lower()


@given(JSON_VALUES.map(with_marker), st.sampled_from(sorted(FULL)), st.booleans())
def test_whatever_stands_for_a_known_field_no_sentence_is_told(value: Any, field: str, inside: bool) -> None:
    """Also where an enum belongs: a text with a space in it is none."""
    sentence = with_marker({"x": value}) if inside else value
    inner = dict.fromkeys(cast("Json", FULL[field]), "MARKER of it") if isinstance(FULL[field], dict) else {}
    config = read_setup({**FULL, field: {**inner, "new": sentence}}).config
    assert MARKER not in config


@given(st.text(min_size=12, max_size=40))
def test_no_handle_is_told_anywhere(handle: str) -> None:
    told = read_setup({"model": "m", "sessionResumption": {"handle": handle}})
    assert told == replace(
        read_setup({"model": "m", "sessionResumption": {"handle": "another handle"}}),
        resumption_handle_hash=hash_handle(handle.encode("utf-8", "replace").decode()),
    )


# Any shape.


def places(value: Any) -> list[tuple[str, ...]]:
    """The ways to every object's field in a setup."""
    inside = cast("Json", value).items() if isinstance(value, dict) else ()
    return [way for key, item in inside for way in [(key,), *((key, *rest) for rest in places(item))]]


def put(value: Json, way: tuple[str, ...], item: Any) -> Json:
    return {**value, way[0]: put(value[way[0]], way[1:], item) if len(way) > 1 else item}


def test_places_are_found_to_the_bottom() -> None:
    assert ("generationConfig", "speechConfig", "voiceConfig", "prebuiltVoiceConfig", "voiceName") in places(
        FULL
    )


@given(JSON_VALUES, st.none() | st.sampled_from(places(FULL)))
def test_a_setup_of_any_shape_can_be_read_and_its_figures_are_bounded(
    damage: Any, way: tuple[str, ...] | None
) -> None:
    setup = put(FULL, way, damage) if way else damage
    facts = read_setup(setup)
    assert len(facts.config) <= MAX_CHARACTERS
    assert facts.config.isascii()
    assert facts.config == "" or isinstance(config_of(setup), dict)
    assert len(facts.labels) <= MAX_LABELS
    assert facts.thinking_budget is None or -1 <= facts.thinking_budget < 2**53
    repr(facts).encode()


@pytest.mark.parametrize("field", ["systemInstruction", "tools", "labels", "new", "generationConfig"])
def test_nesting_deeper_than_the_stack_is_measured(field: str) -> None:
    deep: object = None
    for _ in range(5_000):
        deep = [deep]
    assert config_of({field: [deep]})[field] in (
        {"bytes": 10_006},
        [{"bytes": 10_004}],
        {"count": 1, "bytes": 10_006},
    )


def test_a_setup_of_everything_at_once_stays_in_bounds() -> None:
    """A configuration that is cut in every field is shorter than the bound: what remains are sizes."""
    names = [f"f{number:03}" + "x" * 124 for number in range(MAX_ITEMS)]
    filled: Json = {
        key: [{"functionDeclarations": [{"name": name} for name in names]}] if key == "tools" else value
        for key, value in FULL.items()
    }
    unknown = {"u" * 60 + f"{number:03}": 1 for number in range(1_000)}
    full = {key: {**value, **unknown} if isinstance(value, dict) else value for key, value in filled.items()}
    assert len(read_setup({**full, **unknown}).config) <= MAX_CHARACTERS
