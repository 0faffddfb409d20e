"""The setup frame to facts: model, platform and configuration, without content and without secrets."""

import hashlib
import re

from livemeter.observer.facts import Setup
from livemeter.observer.payload import count, find, get, has, objects, size, strings, text

_LOCATION = re.compile(r"/locations/([^/]+)/")


def read_setup(setup: object) -> Setup:
    """Read the value under ``setup``. The system instruction leaves as its size and hash only."""
    model = text(get(setup, "model"))
    location = _LOCATION.search(model)
    handle = text(find(setup, "sessionResumption", "handle"))
    instruction = get(setup, "systemInstruction")
    compression = get(setup, "contextWindowCompression")
    return Setup(
        model=model.rsplit("/", 1)[-1],
        location=location.group(1) if location else "",
        response_modalities=strings(find(setup, "generationConfig", "responseModalities")),
        voice=_voice(setup),
        vad_mode=_vad_mode(setup),
        input_transcription=has(setup, "inputAudioTranscription"),
        output_transcription=has(setup, "outputAudioTranscription"),
        session_resumption=has(setup, "sessionResumption"),
        resumption_handle_hash=hash_handle(handle) if handle else "",
        compression=compression is not None,
        compression_trigger_tokens=count(get(compression, "triggerTokens")),
        compression_target_tokens=count(find(compression, "slidingWindow", "targetTokens")),
        declared_tools=_tools(setup),
        instruction_bytes=size(instruction) if instruction is not None else 0,
        instruction_hash=_digest(repr(instruction)) if instruction is not None else "",
    )


def hash_handle(handle: str) -> str:
    """Return what is kept of a resumption handle: 128 bits of its SHA-256, in hex."""
    return _digest(handle)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _voice(setup: object) -> str:
    speech = find(setup, "generationConfig", "speechConfig")
    return text(find(speech, "voiceConfig", "prebuiltVoiceConfig", "voiceName"))


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
