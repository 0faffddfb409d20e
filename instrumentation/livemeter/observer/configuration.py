"""The whole setup as compact JSON without its content: what was switched on, and how, but nobody's words.

This is an allow-list. Of the protocol's known fields, numbers, booleans, names and enum-like words are
kept, under their camelCase names; a tool that Google runs, a handle and the like are ``true`` if they were
there. All else leaves as its size: ``{"bytes": 31}``, with ``count`` for a known list. That holds for content
(instructions, vocabulary, schemas, media), for fields that nobody here knows, for a known field of a type
that it should not have, and for what is cut because the whole became too long. So a new field is seen when
it appears, and cannot leak. A null stays null: a field that was named and not set.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from livemeter.observer.encoding import wire_bytes
from livemeter.observer.payload import (
    MAX_COUNT,
    Payload,
    count,
    fold,
    get,
    is_array,
    is_object,
    objects,
    text,
)

MAX_CHARACTERS = 16_000
"""A configuration is at most this long (all ASCII); its largest fields leave as sizes until it fits."""

MAX_ITEMS = 256
"""A longer list leaves as its size; of declared functions so many names are told."""

MAX_UNKNOWN_FIELDS = 32
"""Unknown fields of one object that are told by name; the sizes of all others come together."""

OTHER_FIELDS = "?"
"""Under this: unknown fields beyond that number, and those whose name is no identifier."""

_Reader = Callable[[Any], Any]
"""Returns what is kept of a value that is not null, or None if the value is not what it should be."""

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+/-]{0,63}")
_FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")


def read_configuration(setup: object) -> str:
    """Return the value under ``setup`` as described above, or an empty string if it is no object."""
    if not is_object(setup):
        return ""
    config = _SETUP(setup)
    lengths = {name: len(_dumps(value)) for name, value in config.items()}
    for name in sorted(lengths, key=lambda name: -lengths[name]):
        if len(_dumps(config)) <= MAX_CHARACTERS:
            break
        config[name] = _size_alone(get(setup, name))
    return _dumps(config)


def bare_model(model: str) -> str:
    """Return a model's own name, without ``models/`` or the path of its publisher and project."""
    return model.rsplit("/", 1)[-1]


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _size_alone(value: object) -> dict[str, int]:
    return {"bytes": wire_bytes(value)}


# Readers of single values.


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> int | float | None:
    """Read a number that every JSON reader takes; protobuf JSON writes 64-bit ones as strings."""
    if isinstance(value, str):
        return count(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) <= MAX_COUNT else None  # NaN is not, either.


def _word(value: object) -> str | int | float | None:
    """Read an enum, a voice or a language: a short word without spaces. Enums may be numbers, too."""
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) else None
    return _number(value)


def _words(value: object) -> list[str | int | float] | None:
    if not is_array(value) or len(value) > MAX_ITEMS:
        return None
    words = [word for item in value if (word := _word(item)) is not None]
    return words if len(words) == len(value) else None


def _given(_value: object) -> bool:
    """Say no more than that something was there."""
    return True


def _counted(value: object) -> dict[str, int] | None:
    if not is_array(value) and not is_object(value):
        return None
    return {"count": len(value), **_size_alone(value)}


def _model(value: object) -> str | None:
    model = bare_model(text(value))
    return model if _WORD.fullmatch(model) else None


def _functions(value: object) -> dict[str, Any] | None:
    """Read function declarations: their names, and the behaviour of those that say one."""
    if not is_array(value):
        return None
    declared = [function for function in objects(value) if _FUNCTION.fullmatch(text(get(function, "name")))]
    behaviors = {get(function, "name"): _word(get(function, "behavior")) for function in declared[:MAX_ITEMS]}
    said = {name: behavior for name, behavior in behaviors.items() if behavior is not None}
    names = {"names": [get(function, "name") for function in declared[:MAX_ITEMS]]}
    return {**_size_alone(value), "count": len(value), **names, **({"behaviors": said} if said else {})}


# Readers of objects.


def _object(**readers: _Reader) -> _Reader:
    known = {fold(name): (name, reader) for name, reader in readers.items()}
    return lambda value: _read_fields(value, known) if is_object(value) else None


def _objects(**readers: _Reader) -> _Reader:
    read = _object(**readers)
    return lambda value: (
        [_kept(item, read) for item in value] if is_array(value) and len(value) <= MAX_ITEMS else None
    )


def _read_fields(payload: Payload, known: dict[str, tuple[str, _Reader]]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    unknown: dict[str, int] = {}
    for key, value in payload.items():
        name, reader = known.get(fold(key), (key, None))
        if reader is None:
            _add_unknown(unknown, key, value)
        elif name not in config or name == key:  # As ``get`` has it: of two spellings, the protocol's own.
            config[name] = _kept(value, reader)
    return config | {name: {"bytes": total} for name, total in unknown.items()}


def _kept(value: object, reader: _Reader) -> Any:
    if value is None:
        return None
    kept = reader(value)
    return _size_alone(value) if kept is None else kept


def _add_unknown(unknown: dict[str, int], key: str, value: object) -> None:
    name = _camel(key) if _IDENTIFIER.fullmatch(key) else OTHER_FIELDS
    if name not in unknown and len(unknown) >= MAX_UNKNOWN_FIELDS:
        name = OTHER_FIELDS
    unknown[name] = unknown.get(name, 0) + wire_bytes(value)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


# The protocol. What is content or media is named here only where its count is worth telling; else it is
# as good as unknown. A tool's own settings (domains, stores, filters) are words of the application.

_TRANSCRIPTION = _object(
    languageCodes=_words,
    languageAuto=_given,
    languageHints=_object(languageCodes=_words),
    customVocabulary=_counted,
    adaptationPhrases=_counted,
    wordTimestamp=_flag,
    diarization=_flag,
    mode=_word,
)

_VOICE = _object(
    voice=_word,
    prebuiltVoiceConfig=_object(voiceName=_word),
    replicatedVoiceConfig=_object(mimeType=_word),
)

_GENERATION = _object(
    responseModalities=_words,
    temperature=_number,
    topP=_number,
    topK=_number,
    maxOutputTokens=_number,
    candidateCount=_number,
    seed=_number,
    presencePenalty=_number,
    frequencyPenalty=_number,
    logprobs=_number,
    responseLogprobs=_flag,
    responseMimeType=_word,
    mediaResolution=_word,
    audioTimestamp=_flag,
    stopSequences=_counted,
    enableAffectiveDialog=_flag,
    enableEnhancedCivicAnswers=_flag,
    thinkingConfig=_object(includeThoughts=_flag, thinkingBudget=_number, thinkingLevel=_word),
    speechConfig=_object(
        languageCode=_word,
        voiceConfig=_VOICE,
        multiSpeakerVoiceConfig=_object(speakerVoiceConfigs=_objects(voiceConfig=_VOICE)),
    ),
    translationConfig=_object(echoTargetLanguage=_flag, targetLanguageCode=_word),
    audioTranscriptionConfig=_TRANSCRIPTION,
)

_TOOLS = _objects(
    functionDeclarations=_functions,
    googleSearch=_given,
    googleSearchRetrieval=_given,
    googleMaps=_given,
    codeExecution=_given,
    urlContext=_given,
    enterpriseWebSearch=_given,
    parallelAiSearch=_given,
    exaAiSearch=_given,
    retrieval=_given,
    fileSearch=_given,
    computerUse=_given,
    mcpServers=_given,
)

_SETUP = _object(
    model=_model,
    generationConfig=_GENERATION,
    tools=_TOOLS,
    sessionResumption=_object(handle=_given, transparent=_flag),
    contextWindowCompression=_object(triggerTokens=_number, slidingWindow=_object(targetTokens=_number)),
    realtimeInputConfig=_object(
        automaticActivityDetection=_object(
            disabled=_flag,
            startOfSpeechSensitivity=_word,
            endOfSpeechSensitivity=_word,
            prefixPaddingMs=_number,
            silenceDurationMs=_number,
        ),
        activityHandling=_word,
        turnCoverage=_word,
        interimTranscriptTimestampEnabled=_flag,
    ),
    inputAudioTranscription=_TRANSCRIPTION,
    outputAudioTranscription=_TRANSCRIPTION,
    proactivity=_object(proactiveAudio=_flag, proactiveVideo=_flag),
    historyConfig=_object(initialHistoryInClientContent=_flag),
    avatarConfig=_object(avatarName=_word, audioBitrateBps=_number, videoBitrateBps=_number),
    safetySettings=_objects(category=_word, method=_word, threshold=_word),
    explicitVadSignal=_flag,
    labels=_counted,
)
