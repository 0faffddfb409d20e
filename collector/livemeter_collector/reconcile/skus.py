"""What a SKU of Gemini bills: which models, which direction, which modality. Pure.

Google writes descriptions for people, in several orders:

    BidiGenerateContent audio input token count for Gemini 2.5 Flash Native Audio
    Gemini 2.5 Flash Live Audio (AV2A) Output - Predictions
    Generate content input token count gemini 3.5 flash text
    Grounding with Google Search on Gemini 3

so they are read word by word. What is left of a model's name when everything is taken away that any Live
model's may have (live, native audio, preview, a date) is its family, of a SKU and of a model alike: one SKU
bills all models of a family.
"""

import re
from dataclasses import dataclass

from livemeter.vocabulary import Platform

_WORD = re.compile(r"\d+(?:\.\d+)?|[a-z0-9]*[a-z][a-z0-9]*")
_BIDI = re.compile(r"bidi[\s_-]*generate[\s_-]*content")
_MODALITIES = {"text": "TEXT", "audio": "AUDIO", "image": "IMAGE", "video": "VIDEO"}
_DIRECTIONS = {"input": "input", "output": "output"}
_CACHED = frozenset({"cached", "caching"})
# Of a model's name what tells one price from another.
_FAMILY_WORDS = frozenset({"flash", "pro", "lite", "translate", "transcribe", "robotics", "er"})


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """SKUs, and recorded usage, that are compared with each other."""

    platform: str
    family: str
    """``gemini 2.5 flash live``; of grounding the generation alone, which its SKUs share."""
    direction: str
    """``input``, ``cached input``, ``output`` or ``grounding``."""
    modality: str


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A SKU that no figure of ours stands against, with the reason."""

    reason: str


NOT_GEMINI = "not of Gemini"
NOT_LIVE = "not of the Live API"
UNCLEAR = "of the Live API, but its description says no direction or modality that is known"
STORAGE = "of storage, not of tokens"

GROUNDING = "grounding"


def group_of_sku(service: str, description: str) -> Group | NotCompared:
    """Return what a SKU bills, or why it is not compared."""
    said = description.lower()
    if "gemini" not in said and not _BIDI.search(said):
        return NotCompared(NOT_GEMINI)
    platform = _platform(service, said)
    words = _words(said)
    if _is_search(words):
        return Group(platform, _generation(words), GROUNDING, "QUERY")
    if not _is_live(said, words):
        return NotCompared(NOT_LIVE)
    if "storage" in words:
        return NotCompared(STORAGE)
    direction = next((_DIRECTIONS[word] for word in words if word in _DIRECTIONS), None)
    modality = next((_MODALITIES[word] for word in words if word in _MODALITIES), None)
    if direction is None or modality is None:
        return NotCompared(UNCLEAR)
    if direction == "input" and not _CACHED.isdisjoint(words):
        direction = "cached input"
    return Group(platform, _family(words), direction, modality)


def family_of_model(model: str) -> str:
    """Return the family of a Live model's name."""
    return _family(_words(model.lower()))


def generation_of_model(model: str) -> str:
    """Return the generation of a model's name, by which grounding is billed."""
    return _generation(_words(model.lower()))


def _words(said: str) -> list[str]:
    """Return the words; ``native audio`` is one, which is no modality."""
    plain = re.sub(r"native[\s_-]+audio", "nativeaudio", said)
    return _WORD.findall(re.sub(r"[_\-]", " ", plain))


def _is_live(said: str, words: list[str]) -> bool:
    return bool(_BIDI.search(said)) or "live" in words or "nativeaudio" in words


def _is_search(words: list[str]) -> bool:
    return "search" in words and not {"grounding", "query", "queries"}.isdisjoint(words)


def _family(words: list[str]) -> str:
    named = words[words.index("gemini") + 1 :] if "gemini" in words else words
    kept = [word for word in named if word in _FAMILY_WORDS]
    if "extended" in named and "thinking" in named:
        kept.append("extended thinking")
    version = _version(named)
    return " ".join(["gemini", *([version] if version else []), *dict.fromkeys(kept), "live"])


def _generation(words: list[str]) -> str:
    """Return ``gemini 3`` of 3.x, and ``gemini 2.5`` of what came before."""
    version = _version(words[words.index("gemini") + 1 :] if "gemini" in words else words)
    if not version:
        return "gemini"
    major = version.partition(".")[0]
    return f"gemini {version}" if int(major) < 3 else f"gemini {major}"


def _version(words: list[str]) -> str:
    return next((word for word in words if re.fullmatch(r"\d(?:\.\d+)?", word)), "")


def _platform(service: str, said: str) -> str:
    named = service.lower()
    if "vertex" in named or "agent platform" in named:
        return Platform.VERTEX_AI.value
    if "gemini api" in named or "generative language" in named:
        return Platform.GEMINI_API.value
    # No service is named: the two write their descriptions differently.
    return (
        Platform.GEMINI_API.value
        if "token count" in said or "search query" in said
        else Platform.VERTEX_AI.value
    )
