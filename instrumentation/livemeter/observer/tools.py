"""Tool calls: from the server's request to the application's answer, by id, else by name.

An answer is matched and said to be ``yes`` (a call's id), ``absent`` (no id; matched by name), ``no``
(an id nobody asked for), ``duplicate`` (answered before) or ``late`` (cancelled before).
"""

from dataclasses import dataclass

from livemeter.observer.clock import Instant, ms_between
from livemeter.observer.facts import ToolCallEnded
from livemeter.observer.payload import Payload, find, get, objects, size, strings, text
from livemeter.vocabulary import IdMatch, ToolStatus

MAX_ENDED_IDS = 1000
"""Ids of ended calls that are remembered to tell late and duplicate answers; the oldest go."""


@dataclass(frozen=True, slots=True)
class _OpenCall:
    call_id: str
    name: str
    turn: int
    called: Instant
    request_bytes: int
    in_flight: int


class ToolTracker:
    """The tool calls of one connection."""

    def __init__(self) -> None:
        self._open: list[_OpenCall] = []
        self._ended: dict[str, IdMatch] = {}
        self.last_response: Instant | None = None

    def called(self, message: Payload, turn: int, now: Instant) -> None:
        """Take note of a toolCall message; it may hold several calls."""
        for call in objects(find(message, "toolCall", "functionCalls")):
            self._open.append(
                _OpenCall(
                    call_id=text(get(call, "id")),
                    name=text(get(call, "name")),
                    turn=turn,
                    called=now,
                    request_bytes=size(get(call, "args") or {}),
                    in_flight=len(self._open) + 1,
                )
            )

    def responded(self, message: Payload, turn: int, now: Instant) -> list[ToolCallEnded]:
        """Return what a toolResponse message answered; it may hold several answers."""
        answers = list(objects(find(message, "toolResponse", "functionResponses")))
        if answers:
            self.last_response = now
        return [self._answered(answer, turn, now) for answer in answers]

    def cancelled(self, message: Payload, now: Instant) -> list[ToolCallEnded]:
        """Return the calls that a toolCallCancellation message took back."""
        ids = strings(find(message, "toolCallCancellation", "ids"))
        taken = [call for call in self._open if call.call_id in ids]
        return [self._end(call, now, ToolStatus.CANCELLED, IdMatch.LATE) for call in taken]

    def connection_closed(self, now: Instant) -> list[ToolCallEnded]:
        """Return the calls that nobody answered."""
        return [self._end(call, now, ToolStatus.UNANSWERED, IdMatch.NO) for call in list(self._open)]

    def _answered(self, answer: Payload, turn: int, now: Instant) -> ToolCallEnded:
        call_id, name = text(get(answer, "id")), text(get(answer, "name"))
        call = self._match(call_id, name)
        response = get(answer, "response")
        # Many tools always answer with both keys, and ``error: null`` when all went well.
        status = ToolStatus.ERROR if get(response, "error") else ToolStatus.OK
        if call is not None:
            self._forget(call, IdMatch.DUPLICATE)
        return ToolCallEnded(
            at_ns=now.wall_ns,
            turn=call.turn if call else turn,
            call_id=call_id or (call.call_id if call else ""),
            name=name or (call.name if call else ""),
            called_at_ns=call.called.wall_ns if call else None,
            responded_at_ns=now.wall_ns,
            latency_ms=ms_between(call.called, now) if call else None,
            request_bytes=call.request_bytes if call else 0,
            response_bytes=size(response),
            id_match=self._id_match(call_id, call),
            in_flight=call.in_flight if call else len(self._open),
            status=status,
        )

    def _match(self, call_id: str, name: str) -> _OpenCall | None:
        if call_id:
            return next((call for call in self._open if call.call_id == call_id), None)
        return next((call for call in self._open if call.name == name), None)

    def _id_match(self, call_id: str, call: _OpenCall | None) -> IdMatch:
        if not call_id:
            return IdMatch.ABSENT
        return IdMatch.YES if call else self._ended.get(call_id, IdMatch.NO)

    def _end(self, call: _OpenCall, now: Instant, status: ToolStatus, afterwards: IdMatch) -> ToolCallEnded:
        self._forget(call, afterwards)
        return ToolCallEnded(
            at_ns=now.wall_ns,
            turn=call.turn,
            call_id=call.call_id,
            name=call.name,
            called_at_ns=call.called.wall_ns,
            responded_at_ns=None,
            latency_ms=None,
            request_bytes=call.request_bytes,
            response_bytes=0,
            id_match=IdMatch.ABSENT,
            in_flight=call.in_flight,
            status=status,
        )

    def _forget(self, call: _OpenCall, afterwards: IdMatch) -> None:
        self._open.remove(call)
        if call.call_id:
            self._ended[call.call_id] = afterwards
            if len(self._ended) > MAX_ENDED_IDS:
                del self._ended[next(iter(self._ended))]
