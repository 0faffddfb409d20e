"""What observing costs: the CPU of google-genai's own client per frame, with and without Livemeter.

The fake server and an OTLP sink run in a process of their own. Clients with and without the one import run
in turn, each a fresh process, so that a machine whose speed drifts is the same for both. Everything counts:
hooks, observer, packing, OpenTelemetry's SDK and the export, on all threads (``time.process_time``).

    python benchmarks/instrumentation.py [--rounds 5] [--frames 3000] [--json]
"""

import argparse
import asyncio
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

TURNS = 3
"""Turns that are measured in one client's life, after one that is not."""

CASES = {"received 20 ms": 20, "received 100 ms": 100, "sent 20 ms": 20}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="pairs of clients a case (default: 5)")
    parser.add_argument("--frames", type=int, default=3000, help="frames a turn (default: 3000)")
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--client", choices=["plain", "observed"], help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments.case, arguments.frames)
    if arguments.client:
        return client(arguments.client, arguments.case, arguments.frames)
    results = [measure(case, arguments.rounds, arguments.frames) for case in CASES]
    if arguments.json:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
    else:
        show(results)
    return 0


def measure(case: str, rounds: int, frames: int) -> dict[str, object]:
    """Run pairs of clients and return CPU microseconds a frame, and the ratio pair by pair."""
    plain, observed = [], []
    with server(case, frames) as environment:
        for number in range(rounds):
            sys.stderr.write(f"\r{case}: {number + 1}/{rounds} ")
            plain.append(run_client("plain", case, frames, environment))
            observed.append(run_client("observed", case, frames, environment))
    sys.stderr.write("\r")
    ratios = [after / before - 1 for before, after in zip(plain, observed, strict=True)]
    return {
        "case": case,
        "plain_us": round(statistics.median(plain), 2),
        "observed_us": round(statistics.median(observed), 2),
        "added_percent": round(100 * statistics.median(ratios), 1),
        "added_percent_range": [round(100 * min(ratios), 1), round(100 * max(ratios), 1)],
    }


def show(results: list[dict[str, object]]) -> None:
    sys.stdout.write(f"{'CPU per frame':<17}{'plain':>10}{'observed':>10}{'added':>9}   (each pair)\n")
    for row in results:
        low, high = row["added_percent_range"]  # type: ignore[misc]
        sys.stdout.write(
            f"{row['case']:<17}{row['plain_us']:>7} us{row['observed_us']:>7} us{row['added_percent']:>8}%"
            f"   ({low} to {high}%)\n"
        )


def run_client(kind: str, case: str, frames: int, environment: dict[str, str]) -> float:
    command = [sys.executable, __file__, "--client", kind, "--case", case, "--frames", str(frames)]
    finished = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True)
    return float(finished.stdout)


@contextmanager
def server(case: str, frames: int) -> Iterator[dict[str, str]]:
    command = [sys.executable, __file__, "--serve", "--case", case, "--frames", str(frames)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def serve(case: str, frames: int) -> int:
    from livemeter.testing import Expect, FakeLiveServer, Repeat, Script, Send, SendAudio, SetupComplete

    turn_complete = Send({"serverContent": {"turnComplete": True}})
    asked = Expect("clientContent", timeout_s=600)
    turn = (asked, SendAudio(frames * CASES[case], CASES[case]), turn_complete)
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
    """Takes telemetry and forgets it."""

    def do_POST(self) -> None:  # noqa: D102 - http.server calls it so
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:  # noqa: D102 - silence
        return


def client(kind: str, case: str, frames: int) -> int:
    if kind == "observed":
        import livemeter.auto  # noqa: F401
    sys.stdout.write(f"{asyncio.run(talk(case, frames))}\n")
    return 0


async def talk(case: str, frames: int) -> float:
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
                started = time.process_time()
            if case.startswith("sent"):
                for _ in range(frames):
                    await session.send_realtime_input(audio=audio)
            await session.send_client_content(turns=question, turn_complete=True)
            async for _ in session.receive():
                pass
        return (time.process_time() - started) / (TURNS * frames) * 1e6


if __name__ == "__main__":
    sys.exit(main())
