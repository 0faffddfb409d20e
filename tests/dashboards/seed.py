"""Two sessions of one application, small enough to price by hand; they arrive as OTLP like any other.

gemini-3.8-live, USD per million tokens (so that tokens x price is micro-dollars): in text 0.75, audio 3;
out text 4.50, audio 12. UNATTRIBUTED input is priced as text, at least 0.75 and at most 3.

    10:10  usage  priced    1000 text in 750.00, 500 audio in 1500.00, 100 audio out 1200.00     3450.00
    10:15  turn   priced    40 bytes of transcript: 10 tokens out                                  45.00
    11:20  usage  priced    1100 text in 825.00 (1000 of it carried 750.00), 100 untold in 75.00,
                            20 text out 90.00                                                     990.00
    11:25  turn   priced
    11:30  usage  unpriced  300 text in
    11:35  turn   unpriced
    11:40  turn   priced    output, but no usage frame

Hours are those of a day like any other, counted from ``first_hour_ms``.
"""

import json
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from livemeter.vocabulary import Attribute, Event
from tests.accounting.events import Exported

HOUR_MS = 3_600_000
PRICED_MODEL = "gemini-3.8-live"
UNPRICED_MODEL = "gemini-9-live-unheard-of"
_MINUTES = (10, 15, 80, 85, 90, 95, 100)


def first_hour_ms() -> int:
    """Return the Unix time of the hour that stands for ten o'clock: near enough for the store to keep it."""
    return (int(time.time() * 1000) // HOUR_MS - 5) * HOUR_MS


def otlp_request(app: str, hour_ms: int) -> bytes:
    """Return the table above as one OTLP request; the sessions are ``priced-<app>`` and ``unpriced-<app>``.

    A connection is named after its session's first 16 bytes, so an application's first 7 must be its own.
    """
    exported = Exported(app)
    priced, unpriced = (f"priced-{app}", PRICED_MODEL), (f"unpriced-{app}", UNPRICED_MODEL)
    _usage(exported, 1, 1, *priced, prompt=1500, prompt_details={"TEXT": 1000, "AUDIO": 500},
           response=100, response_details={"AUDIO": 100})  # fmt: skip
    _turn(exported, 2, 1, *priced, hour_ms + 10 * 60_000, transcript_bytes=40)
    _usage(exported, 3, 2, *priced, prompt=1200, prompt_details={"TEXT": 1100},
           previous_context={"TEXT": 1000}, response=20, response_details={"TEXT": 20})  # fmt: skip
    _turn(exported, 4, 2, *priced, hour_ms + 80 * 60_000)
    _usage(exported, 1, 1, *unpriced, prompt=300, prompt_details={"TEXT": 300})
    _turn(exported, 2, 1, *unpriced, hour_ms + 90 * 60_000)
    _turn(exported, 5, 3, *priced, hour_ms + 99 * 60_000)
    return _timed(exported.to_bytes(), hour_ms)


def _usage(exported: Exported, seq: int, turn: int, session: str, model: str, **figures: object) -> None:
    attributes: dict[str, object] = {Attribute.TURN: turn, Attribute.PASS: turn, Attribute.REPEAT: False}
    exported.event(Event.USAGE, seq, session, model, attributes, json.dumps(figures))


def _turn(
    exported: Exported,
    seq: int,
    turn: int,
    session: str,
    model: str,
    started_at_ms: int,
    transcript_bytes: int = 0,
) -> None:
    attributes: dict[str, object] = {
        Attribute.TURN: turn,
        Attribute.TURN_STARTED_AT: started_at_ms,
        Attribute.HAS_OUTPUT: True,
        Attribute.TRANSCRIPT_BYTES_IN: transcript_bytes,
    }
    exported.event(Event.TURN, seq, session, model, attributes)


def _timed(body: bytes, hour_ms: int) -> bytes:
    request = ExportLogsServiceRequest.FromString(body)
    records = request.resource_logs[0].scope_logs[0].log_records
    for record, minute in zip(records, _MINUTES, strict=True):
        record.time_unix_nano = (hour_ms + minute * 60_000) * 1_000_000
    return request.SerializeToString()
