"""SKU descriptions as Google writes them, and which of our figures each stands against."""

import pytest

from livemeter_collector.reconcile.skus import (
    NOT_GEMINI,
    NOT_LIVE,
    UNCLEAR,
    Group,
    NotCompared,
    family_of_model,
    generation_of_model,
    group_of_sku,
)

API, VERTEX = "Gemini API", "Vertex AI"
FLASH = "gemini 2.5 flash live"


@pytest.mark.parametrize(
    ("service", "sku", "group"),
    [
        (
            API,
            "BidiGenerateContent audio output token count for Gemini 2.5 Flash Native Audio",
            Group("gemini_api", FLASH, "output", "AUDIO"),
        ),
        (
            API,
            "BidiGenerateContent text input token count for Gemini 2.5 Flash Native Audio",
            Group("gemini_api", FLASH, "input", "TEXT"),
        ),
        (
            VERTEX,
            "Gemini 2.5 Flash Live Audio Input - Predictions",
            Group("vertex_ai", FLASH, "input", "AUDIO"),
        ),
        (
            VERTEX,
            "Gemini 2.5 Flash Live Audio (AV2A) Output - Predictions",
            Group("vertex_ai", FLASH, "output", "AUDIO"),
        ),
        (VERTEX, "Gemini 2.5 Flash Live Text Output", Group("vertex_ai", FLASH, "output", "TEXT")),
        # As other SKUs of the same services are written.
        (
            API,
            "Bidi_generate_content cached text input token count for gemini-3.8-live",
            Group("gemini_api", "gemini 3.8 live", "cached input", "TEXT"),
        ),
        (
            VERTEX,
            "Gemini 3.8 Live Video Input Caching",
            Group("vertex_ai", "gemini 3.8 live", "cached input", "VIDEO"),
        ),
        (
            VERTEX,
            "Grounding with Google Search on Gemini 3",
            Group("vertex_ai", "gemini 3", "grounding", "QUERY"),
        ),
        (
            API,
            "Generate content search query gemini 3 free",
            Group("gemini_api", "gemini 3", "grounding", "QUERY"),
        ),
        # Where no service is named, the wording tells them apart.
        (
            "",
            "BidiGenerateContent text output token count for Gemini 2.5 Flash Native Audio",
            Group("gemini_api", FLASH, "output", "TEXT"),
        ),
        ("", "Gemini 2.5 Flash Live Text Input - Predictions", Group("vertex_ai", FLASH, "input", "TEXT")),
    ],
)
def test_a_sku_of_the_live_api_is_read_word_by_word(service: str, sku: str, group: Group) -> None:
    assert group_of_sku(service, sku) == group


@pytest.mark.parametrize(
    ("service", "sku", "reason"),
    [
        ("Compute Engine", "N1 Predefined Instance Core running in Americas", NOT_GEMINI),
        ("Cloud Speech API", "Live transcription of audio input", NOT_GEMINI),
        (API, "Generate content input token count gemini 3.5 flash text", NOT_LIVE),
        (API, "Generate content input token count gemini 2.5 flash input audio", NOT_LIVE),
        (VERTEX, "Gemini 2.5 Flash GA Thinking Text Output - Predictions", NOT_LIVE),
        (
            API,
            "Generate_content image output token count for Gemini 2.5 Flash Native Image Generation",
            NOT_LIVE,
        ),
        (VERTEX, "Gemini 2.5 Flash Live session", UNCLEAR),
    ],
)
def test_any_other_sku_is_left_with_the_reason(service: str, sku: str, reason: str) -> None:
    assert group_of_sku(service, sku) == NotCompared(reason)


@pytest.mark.parametrize(
    ("model", "family", "generation"),
    [
        ("gemini-2.5-flash-native-audio-preview-12-2025", FLASH, "gemini 2.5"),
        ("gemini-live-2.5-flash-native-audio", FLASH, "gemini 2.5"),
        ("gemini-live-2.5-flash", FLASH, "gemini 2.5"),
        ("gemini-2.0-flash-live-001", "gemini 2.0 flash live", "gemini 2.0"),
        ("gemini-3.1-flash-live-preview", "gemini 3.1 flash live", "gemini 3"),
        ("gemini-3.8-live", "gemini 3.8 live", "gemini 3"),
        ("gemini-3.8-live-extended-thinking", "gemini 3.8 extended thinking live", "gemini 3"),
        ("gemini-3.5-live-translate-preview", "gemini 3.5 translate live", "gemini 3"),
        ("gemini-3.5-transcribe-live", "gemini 3.5 transcribe live", "gemini 3"),
    ],
)
def test_a_model_and_its_sku_have_one_family(model: str, family: str, generation: str) -> None:
    assert (family_of_model(model), generation_of_model(model)) == (family, generation)
