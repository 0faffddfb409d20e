"""Which script serves which connection, and the script that serves when none fits.

Pure. The first script in the order given whose match fits is taken.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from livemeter.testing.arrival import Arrival
from livemeter.testing.script import Script
from livemeter.testing.steps import (
    Expect,
    Repeat,
    ResumptionUpdate,
    Send,
    SendAudio,
    SetupComplete,
    Step,
    Usage,
)


def choose_refusal(scripts: Sequence[Script], arrival: Arrival) -> Script | None:
    """The script that refuses this handshake, unless one before it serves the connection for sure.

    Scripts that look at the setup cannot be decided at the handshake and are passed over.
    """
    fitting = (script for script in scripts if script.match.fits_arrival(arrival))
    chosen = next((script for script in fitting if not script.match.needs_setup), None)
    return chosen if chosen is not None and chosen.refusal is not None else None


def depends_on_setup(scripts: Sequence[Script], arrival: Arrival) -> bool:
    """Whether the setup must be read before the script of an accepted connection can be told."""
    return next(_serving(scripts, arrival), DEFAULT_SCRIPT).match.needs_setup


def choose_script(scripts: Sequence[Script], arrival: Arrival, setup: Mapping[str, Any]) -> Script:
    """The script that serves an accepted connection; ``setup`` may be empty where nothing depends on it."""
    fitting = (script for script in _serving(scripts, arrival) if script.match.fits_setup(setup))
    return next(fitting, DEFAULT_SCRIPT)


def _serving(scripts: Sequence[Script], arrival: Arrival) -> Iterator[Script]:
    return (script for script in scripts if script.refusal is None and script.match.fits_arrival(arrival))


_ANSWER: tuple[Step, ...] = (
    Expect("turn", ignoring=("any",), or_closed=True),
    Send({"serverContent": {"outputTranscription": {"text": "This is the fake Live server."}}}),
    SendAudio(400),
    Send({"serverContent": {"generationComplete": True}}),
    Usage(
        prompt={"TEXT": 12, "AUDIO": 25},
        response={"AUDIO": 10},
        bundled_with={"serverContent": {"turnComplete": True, "interactionStatus": "IDLE"}},
    ),
    ResumptionUpdate(),
)

DEFAULT_SCRIPT = Script(
    "default", (Expect("setup", or_closed=True), SetupComplete(), ResumptionUpdate(), Repeat(_ANSWER))
)
"""Answers every turn with a transcript, 400 ms of audio and usage by modality, and tolerates the rest."""
