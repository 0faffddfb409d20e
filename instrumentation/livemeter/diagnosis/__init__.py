"""Why a Gemini Live connection closed, and what to do about it.

Pure: no I/O but reading the package's own data, no OpenTelemetry, no SDK types. The knowledge is in
``catalogue.toml`` and ``models.toml``.
"""

from livemeter.diagnosis.catalogue import CATALOGUE_VERSION, load_catalogue
from livemeter.diagnosis.evidence import CloseEvidence, Diagnosis, RetryClass
from livemeter.diagnosis.match import diagnose_close
from livemeter.diagnosis.models import Mismatch, MismatchKind, bare_model, model_mismatch

__all__ = [
    "CATALOGUE_VERSION",
    "CloseEvidence",
    "Diagnosis",
    "Mismatch",
    "MismatchKind",
    "RetryClass",
    "bare_model",
    "diagnose_close",
    "load_catalogue",
    "model_mismatch",
]
