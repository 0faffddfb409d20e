"""Handshake paths: what is a Live session, on which platform, and no credentials."""

import pytest

from livemeter.testing.arrival import read_arrival

GEMINI = "google.ai.generativelanguage"
VERTEX = "google.cloud.aiplatform"


@pytest.mark.parametrize(
    ("path", "platform", "version"),
    [
        (f"/ws/{GEMINI}.v1.GenerativeService.BidiGenerateContent", "gemini_api", "v1"),
        (f"//ws/{GEMINI}.v1beta.GenerativeService.BidiGenerateContent", "gemini_api", "v1beta"),
        (f"//ws/{GEMINI}.v1alpha.GenerativeService.BidiGenerateContentConstrained", "gemini_api", "v1alpha"),
        (f"/ws/{VERTEX}.v1beta1.LlmBidiService/BidiGenerateContent", "vertex_ai", "v1beta1"),
        ("/gateway/BidiGenerateContent", "gemini_api", ""),
    ],
)
def test_every_live_path_is_accepted_and_read(path: str, platform: str, version: str) -> None:
    arrival = read_arrival(3, path)
    assert arrival is not None
    assert (arrival.number, arrival.path, arrival.platform, arrival.api_version) == (
        3,
        path,
        platform,
        version,
    )


@pytest.mark.parametrize(
    "path", ["/", "/v1beta/models", "/ws/Music?x=BidiGenerateContent", "/ws/BidiGenerateMusic"]
)
def test_other_paths_are_not(path: str) -> None:
    assert read_arrival(1, path) is None


def test_values_of_query_parameters_are_never_kept() -> None:
    arrival = read_arrival(
        1, "/ws/BidiGenerateContent?key=sekret&alt=json&access_token=auth_tokens/sekret&x="
    )
    assert arrival is not None
    assert arrival.path == "/ws/BidiGenerateContent?key&alt&access_token&x"
