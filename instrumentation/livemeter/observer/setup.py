"""The setup frame to facts: model, platform and configuration, without content and without secrets."""

import hashlib
import re
from collections.abc import Iterator
from itertools import islice

from livemeter.observer.configuration import bare_model, read_configuration
from livemeter.observer.encoding import wire_bytes
from livemeter.observer.facts import Setup
from livemeter.observer.payload import count, find, get, has, is_array, is_object, objects, strings, text

MAX_LABELS = 64
"""Labels of a setup that are kept, in the order in which they were sent."""

MAX_LABEL_CHARACTERS = 256
"""Keys and values of labels are kept up to here."""

_MAX_WORD_CHARACTERS = 256
_DYNAMIC_BUDGET = -1
_LOCATION = re.compile(r"/locations/([^/]+)/")


def read_setup(setup: object, *, size: int = 0) -> Setup:
    """Read the value under ``setup``, of a frame of ``size`` bytes.

    The system instruction leaves as its size and hash only. The hash is that of its text: the same text
    hashes alike however it was spelled around, and an instruction without any has none.
    """
    model = text(get(setup, "model"))
    location = _LOCATION.search(model)
    handle = text(find(setup, "sessionResumption", "handle"))
    compression = get(setup, "contextWindowCompression")
    thinking = find(setup, "generationConfig", "thinkingConfig")
    instruction = get(setup, "systemInstruction")
    return Setup(
        model=bare_model(model),
        location=location.group(1) if location else "",
        response_modalities=strings(find(setup, "generationConfig", "responseModalities")),
        voice=_voice(find(setup, "generationConfig", "speechConfig")),
        vad_mode=_vad_mode(setup),
        input_transcription=has(setup, "inputAudioTranscription"),
        output_transcription=has(setup, "outputAudioTranscription"),
        session_resumption=has(setup, "sessionResumption"),
        resumption_handle_hash=hash_handle(handle) if handle else "",
        compression=compression is not None,
        compression_trigger_tokens=count(get(compression, "triggerTokens")),
        compression_target_tokens=count(find(compression, "slidingWindow", "targetTokens")),
        declared_tools=_tools(setup),
        instruction_bytes=wire_bytes(instruction) if instruction is not None else 0,
        instruction_hash=_instruction_hash(instruction),
        thinking_budget=_thinking_budget(get(thinking, "thinkingBudget")),
        thinking_level=text(get(thinking, "thinkingLevel"))[:_MAX_WORD_CHARACTERS],
        labels=_labels(get(setup, "labels")),
        bytes=size,
        config=read_configuration(setup),
    )


def hash_handle(handle: str) -> str:
    """Return what is kept of a resumption handle: 128 bits of its SHA-256, in hex."""
    return _digest(handle)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _instruction_hash(instruction: object) -> str:
    texts = tuple(_instruction_texts(instruction))
    return _digest("\n".join(texts)) if texts else ""


def _instruction_texts(instruction: object) -> Iterator[str]:
    """Yield an instruction's texts: of its parts, of one part without a list, or the bare string."""
    if isinstance(instruction, str):
        yield instruction
    parts = get(instruction, "parts")
    for part in parts if is_array(parts) else [parts]:
        words = get(part, "text")
        if isinstance(words, str):
            yield words


def _voice(speech: object) -> str:
    """Return the voice's name; of several speakers all of them, with commas. A replica has no name."""
    speakers = objects(find(speech, "multiSpeakerVoiceConfig", "speakerVoiceConfigs"))
    voices = [get(speech, "voiceConfig"), *(get(speaker, "voiceConfig") for speaker in speakers)]
    names = (
        text(find(voice, "prebuiltVoiceConfig", "voiceName")) or text(get(voice, "voice")) for voice in voices
    )
    return ",".join(name for name in names if name)[:_MAX_WORD_CHARACTERS]


def _vad_mode(setup: object) -> str:
    detection = find(setup, "realtimeInputConfig", "automaticActivityDetection")
    return "manual" if get(detection, "disabled") is True else "automatic"


def _tools(setup: object) -> tuple[str, ...]:
    declarations = (
        text(get(declaration, "name"))
        for tool in objects(get(setup, "tools"))
        for declaration in objects(get(tool, "functionDeclarations"))
    )
    return tuple(name for name in declarations if name)


def _thinking_budget(value: object) -> int | None:
    return _DYNAMIC_BUDGET if value == _DYNAMIC_BUDGET else count(value)


def _labels(labels: object) -> dict[str, str]:
    if not is_object(labels):
        return {}
    said = ((key, value) for key, value in labels.items() if isinstance(value, str))
    return {_label(key): _label(value) for key, value in islice(said, MAX_LABELS)}


def _label(value: str) -> str:
    return text(value)[:MAX_LABEL_CHARACTERS]
