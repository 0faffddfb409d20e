"""Plays one script on one connection, and says precisely where a conversation left it."""

import asyncio
import math
from typing import cast

from livemeter.testing.client_frames import INVALID
from livemeter.testing.expectation import Expectation, Verdict
from livemeter.testing.link import Link
from livemeter.testing.record import ClientFrame
from livemeter.testing.script import Script
from livemeter.testing.server_frames import (
    Message,
    audio_messages,
    message_of,
    resumption_message,
    setup_complete_message,
)
from livemeter.testing.steps import (
    Abort,
    AnyStep,
    Close,
    Expect,
    GoAway,
    Pause,
    RefuseHandshake,
    Repeat,
    ResumptionUpdate,
    Send,
    SendAudio,
    SetupComplete,
    Step,
    Usage,
)


class ScriptError(Exception):
    """A client did something that a script did not foresee; the message says where and what."""


class Player:
    """Plays a script step by step on a link.

    ``minted_prefix`` opens the session ids and handles that it makes up; ``expect_timeout_s`` is how long an
    ``Expect`` without its own time waits.
    """

    def __init__(self, link: Link, script: Script, *, minted_prefix: str, expect_timeout_s: float) -> None:
        self._link = link
        self._script = script
        self._prefix = minted_prefix
        self._expect_timeout_s = expect_timeout_s
        self._at = ""
        self._handles = 0
        self._setup_taken = False
        self._tolerated: frozenset[str] = frozenset()

    async def play(self) -> None:
        """Play all steps. Raises ``ScriptError`` where the client leaves the script."""
        await self._play_all(self._script.steps, "")

    async def _play_all(self, steps: tuple[Step, ...], outer: str) -> bool:
        for number, step in enumerate(steps, start=1):
            self._at = f"step {outer}{number} {step!r}"
            if not await self._play(cast(AnyStep, step), f"{outer}{number}, "):
                return False
            self._link.record.steps_done += 1
        return True

    async def _play(self, step: AnyStep, inner: str) -> bool:
        """Play one step; ``False`` when the script ends here because the client may leave and did."""
        match step:
            case Expect():
                return await self._expect(step)
            case Repeat():
                return await self._repeat(step, inner)
            case SetupComplete():
                await self._setup_complete(step)
            case ResumptionUpdate():
                await self._resumption_update(step)
            case SendAudio():
                await self._send_audio(step)
            case Send() | Usage() | GoAway():
                await self._send(message_of(step, self._link.record.platform))
            case Pause():
                return await self._link.pause(step.ms / 1000) or not step.or_closed
            case Close() | Abort() | RefuseHandshake():
                await self._end(step)
        return True

    async def _end(self, step: Close | Abort | RefuseHandshake) -> None:
        match step:
            case Close():
                await self._link.close(step.code, step.reason)
            case Abort():
                await self._link.abort()
            case RefuseHandshake():
                raise AssertionError("a refused handshake has no connection to play on")
        await self._link.wait_ended()
        if self._link.record.closed_by == "client":
            raise self._error(f"cannot do this, {self._how_ended()}")

    async def _expect(self, step: Expect) -> bool:
        waiting = Expectation(step, self._tolerated)
        default_s = math.inf if step.or_closed else self._expect_timeout_s
        timeout_s = default_s if step.timeout_s is None else step.timeout_s
        try:
            async with asyncio.timeout(None if math.isinf(timeout_s) else timeout_s):
                met = await self._wait(waiting)
        except TimeoutError:
            raise self._error(f"waited {timeout_s:g} s for {waiting.wanted}, {waiting.progress}") from None
        self._tolerated = waiting.tolerated_later
        return met

    async def _wait(self, waiting: Expectation) -> bool:
        verdict = Verdict.WAITING
        while verdict is not Verdict.MET:
            frame = await self._link.peek()
            if frame is None:
                if waiting.step.or_closed:
                    return False
                raise self._error(f"expected {waiting.wanted}, {waiting.progress}, but {self._how_ended()}")
            verdict = waiting.offer(frame.kinds, frame.audio_ms)
            if verdict is Verdict.UNEXPECTED:
                raise self._error(
                    f"expected {waiting.wanted}, {waiting.progress}, but got {_described(frame)}"
                )
            self._link.take()
            self._setup_taken |= "setup" in frame.kinds
        return True

    async def _setup_complete(self, step: SetupComplete) -> None:
        if not self._setup_taken:
            await self._expect(Expect("setup"))
        minted = f"{self._prefix}session-{self._link.record.number}"
        await self._send(setup_complete_message(step, minted))

    async def _send_audio(self, step: SendAudio) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for number, message in enumerate(audio_messages(step)):
            if step.pacing_ms is not None and number:
                # Counted from the first message, so that late wake-ups do not add up.
                await self._link.pause(due + number * step.pacing_ms / 1000 - loop.time())
            await self._send(message)

    async def _resumption_update(self, step: ResumptionUpdate) -> None:
        if self._link.record.setup.get("sessionResumption") is None:
            return
        self._handles += step.resumable and step.handle is None
        minted = f"{self._prefix}handle-{self._link.record.number}-{self._handles}"
        await self._send(resumption_message(step, minted))

    async def _repeat(self, step: Repeat, inner: str) -> bool:
        rounds = 0
        while step.times is None or rounds < step.times:
            rounds += 1
            if not await self._play_all(step.steps, f"{inner}round {rounds}, step "):
                return False
        return True

    async def _send(self, message: Message) -> None:
        if not await self._link.send(message):
            await self._link.wait_ended()
            raise self._error(f"cannot send {', '.join(message)}: {self._how_ended()}")

    def _how_ended(self) -> str:
        record = self._link.record
        if record.closed_by == "client":
            return f"the client closed the connection ({record.close_code})"
        if record.closed_by == "server":
            return "the server was stopped"
        return "the client dropped the connection"

    def _error(self, problem: str) -> ScriptError:
        record = self._link.record
        where = f"script {self._script.name!r}, connection {record.number} ({record.platform}), {self._at}"
        return ScriptError(f"{where}: {problem}")


def _described(frame: ClientFrame) -> str:
    if frame.kind == INVALID:
        return f"{frame.payload_bytes} bytes that are not a JSON object"
    keys = f" with the keys {', '.join(frame.message)}" if frame.message else ""
    return f"{frame.kind} ({frame.payload_bytes} bytes{keys})"
