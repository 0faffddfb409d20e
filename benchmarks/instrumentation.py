"""What observing costs: the CPU of google-genai's own client per frame, with and without Livemeter.

The fake server and an OTLP sink run in a process of their own. Clients run in turn, each a fresh process, so
that a machine whose speed drifts is the same for all of them. Everything counts: hooks, observer, packing,
OpenTelemetry's SDK and the export, on all threads (``time.process_time``).

    plain     google-genai alone
    packed    import livemeter.auto, as it comes
    records   the same with LIVEMETER_FRAMES=records: one event a frame
    otel      no Livemeter: each frame one log record of eight attributes through OpenTelemetry's SDK

    python benchmarks/instrumentation.py [--rounds 5] [--frames 3000] [--paced] [--json]
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TURNS = 3
"""Turns that are measured in one client's life, after one that is not."""

CASES = {"received 20 ms": 20, "received 100 ms": 100, "sent 20 ms": 20}
KINDS = ("plain", "packed", "records", "otel")
PACE_MS = 5
"""Time between two frames with ``--paced``: four times as fast as speech, and idle in between."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="clients of each kind a case (default: 5)")
    parser.add_argument("--frames", type=int, help="frames a turn (default: 3000, paced 200)")
    parser.add_argument("--paced", action="store_true", help=f"a frame every {PACE_MS} ms, not back to back")
    parser.add_argument("--kinds", default=",".join(KINDS), help="which clients (default: all)")
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--client", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    frames = arguments.frames or (200 if arguments.paced else 3000)
    if arguments.serve:
        return serve(arguments.case, frames, paced=arguments.paced)
    if arguments.client:
        return client(arguments.client, arguments.case, frames, paced=arguments.paced)
    kinds = arguments.kinds.split(",")
    options = ["--frames", str(frames), *(["--paced"] if arguments.paced else [])]
    results = [measure(case, kinds, arguments.rounds, options) for case in CASES]
    if arguments.json:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
    else:
        show(results)
    return 0


def measure(case: str, kinds: list[str], rounds: int, options: list[str]) -> dict[str, Any]:
    """Run clients of each kind in turn; return CPU microseconds a frame, and what each adds to plain."""
    costs: dict[str, list[float]] = {kind: [] for kind in ("plain", *kinds)}
    with server(case, options) as environment:
        for number in range(rounds):
            sys.stderr.write(f"\r{case}: {number + 1}/{rounds} ")
            for kind, each in costs.items():
                each.append(run_client(kind, case, options, environment))
    sys.stderr.write("\r")
    added = {
        kind: [cost / plain - 1 for cost, plain in zip(each, costs["plain"], strict=True)]
        for kind, each in costs.items()
    }
    return {
        "case": case,
        "us": {kind: round(statistics.median(each), 2) for kind, each in costs.items()},
        "added_percent": {kind: round(100 * statistics.median(each), 1) for kind, each in added.items()},
        "added_percent_range": {
            kind: [round(100 * min(each), 1), round(100 * max(each), 1)] for kind, each in added.items()
        },
    }


def show(results: list[dict[str, Any]]) -> None:
    sys.stdout.write(f"{'CPU per frame':<17}{'client':<9}{'us':>8}{'added':>9}   (each round)\n")
    for row in results:
        for kind, cost in row["us"].items():
            low, high = row["added_percent_range"][kind]
            added = "" if kind == "plain" else f"{row['added_percent'][kind]:>8}%   ({low} to {high}%)"
            sys.stdout.write(f"{row['case'] if kind == 'plain' else '':<17}{kind:<9}{cost:>8}{added}\n")


def run_client(kind: str, case: str, options: list[str], environment: dict[str, str]) -> float:
    command = [sys.executable, __file__, "--client", kind, "--case", case, *options]
    form = {"LIVEMETER_FRAMES": "records"} if kind == "records" else {}
    variables = {**os.environ, **environment, **form}
    finished = subprocess.run(command, env=variables, stdout=subprocess.PIPE, check=True)
    return float(finished.stdout)


@contextmanager
def server(case: str, options: list[str]) -> Iterator[dict[str, str]]:
    command = [sys.executable, __file__, "--serve", "--case", case, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def serve(case: str, frames: int, *, paced: bool) -> int:
    from livemeter.testing import Expect, FakeLiveServer, Repeat, Script, Send, SendAudio, SetupComplete

    turn_complete = Send({"serverContent": {"turnComplete": True}})
    asked = Expect("clientContent", timeout_s=600)
    speech = SendAudio(frames * CASES[case], CASES[case], pacing_ms=PACE_MS if paced else None)
    turn = (asked, speech, turn_complete)
    if case.startswith("sent"):
        turn = (Expect("realtimeInput.audio", count=frames, timeout_s=600), asked, turn_complete)
    script = Script("bench", (SetupComplete(), Repeat(turn)))
    sink = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    with FakeLiveServer.running_in_thread([script], record_messages=False, raise_errors=False) as fake:
        endpoint = {"LIVEMETER_ENDPOINT": f"http://127.0.0.1:{sink.server_port}"}
        sys.stdout.write(json.dumps({**fake.environment(), **endpoint}) + "\n")
        sys.stdout.flush()
        threading.Event().wait()
    return 0


class Sink(BaseHTTPRequestHandler):
    """Takes telemetry and forgets it. Keeps connections, as collectors do."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # noqa: D102 - http.server calls it so
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:  # noqa: D102 - silence
        return


def client(kind: str, case: str, frames: int, *, paced: bool) -> int:
    if kind in ("packed", "records"):
        import livemeter.auto  # noqa: F401
    elif kind == "otel":
        log_every_frame(os.environ["LIVEMETER_ENDPOINT"])
    sys.stdout.write(f"{asyncio.run(talk(case, frames, paced=paced))}\n")
    return 0


def log_every_frame(endpoint: str) -> None:
    """Do what one would do by hand: a log record for every frame, through OpenTelemetry's own batching."""
    from google.genai import live
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    exporter = OTLPLogExporter(f"{endpoint}/v1/logs", compression=Compression.NoCompression)
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=200))
    logger = provider.get_logger("bench")
    started = live.AsyncSession.__init__

    def log(direction: str, message: str | bytes, number: list[int]) -> None:
        number[0] += 1
        logger.emit(
            timestamp=time.time_ns(),
            event_name="gemini_live.frame",
            attributes={
                "connection": "019f3c5b8a7e7c3d9a4b5c6d7e8f9a0b",
                "session": "lesson-42",
                "seq": number[0],
                "direction": direction,
                "kind": "audio",
                "bytes": len(message),
                "audio_ms": 20,
                "turn": 1,
            },
        )

    def observed(session: Any, *args: Any, **kwargs: Any) -> None:
        started(session, *args, **kwargs)
        socket, number = session._ws, [0]
        recv, send = socket.recv, socket.send

        async def logged_recv(*args: Any, **kwargs: Any) -> Any:
            message = await recv(*args, **kwargs)
            log("received", message, number)
            return message

        async def logged_send(message: Any, *args: Any, **kwargs: Any) -> Any:
            log("sent", message, number)
            return await send(message, *args, **kwargs)

        socket.recv, socket.send = logged_recv, logged_send

    live.AsyncSession.__init__ = observed  # type: ignore[method-assign]


async def talk(case: str, frames: int, *, paced: bool) -> float:
    """Hold a conversation and return CPU microseconds a frame."""
    from google.genai import Client, types

    audio = types.Blob(data=b"\0\1" * (16 * CASES[case]), mime_type="audio/pcm;rate=16000")
    question = types.Content(role="user", parts=[types.Part(text="?")])
    async with (
        Client().aio as aio,
        aio.live.connect(model="gemini-3.8-live", config={"response_modalities": ["AUDIO"]}) as session,
    ):
        started = 0.0
        for turn in range(TURNS + 1):
            if turn == 1:
                # A full collection takes as long as 400 frames and comes once in ten thousands of them.
                gc.collect()
                started = time.process_time()
            if case.startswith("sent"):
                for _ in range(frames):
                    await session.send_realtime_input(audio=audio)
                    if paced:
                        await asyncio.sleep(PACE_MS / 1000)
            await session.send_client_content(turns=question, turn_complete=True)
            async for _ in session.receive():
                pass
        return (time.process_time() - started) / (TURNS * frames) * 1e6


if __name__ == "__main__":
    sys.exit(main())
