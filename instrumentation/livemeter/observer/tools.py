"""Tool calls: from the server's request to the application's answer, by id, else by name.

An answer is matched and said to be ``yes`` (a call's id), ``absent`` (no id; matched by name), ``no``
(an id nobody asked for), ``duplicate`` (answered before) or ``late`` (the call had ended unanswered:
cancelled, or given up). A call without an id can be answered by name alone, whatever id an answer makes up.

A call ends once. An answer with ``willContinue`` leaves it open: bytes and findings of all its answers
come together, an error in one of them is the call's, and the times are those of the last one. What such
a call has got is its answer if the connection ends first. An answer that meets no open call stands by itself.
"""

from dataclasses import dataclass, field

from livemeter.observer.clock import Instant, ms_between
from livemeter.observer.encoding import compact, findings, wire_bytes
from livemeter.observer.facts import ToolCallEnded
from livemeter.observer.payload import Payload, find, get, objects, strings, text
from livemeter.vocabulary import EncodingFinding, IdMatch, ToolStatus

MAX_ENDED_IDS = 200
"""Ids of a session's ended calls that are remembered to tell late and duplicate answers; the oldest go."""

MAX_OPEN_CALLS = 4096
"""Calls that are kept open; one more ends the oldest as it stands."""

MAX_HELD_CHARACTERS = 2_000_000
"""Content of open calls that is held, when content is on; what comes while that is full is left out."""

MAX_NAME_CHARACTERS = 256
"""Ids, names and schedulings are compared and kept up to here; Google's own are far shorter."""


@dataclass(slots=True, eq=False)
class _Call:
    """A call and the answers it got so far; ``called`` is None for answers that nobody asked for."""

    call_id: str
    name: str
    turn: int
    called: Instant | None
    in_flight: int
    request_bytes: int = 0
    arguments: str = ""
    # The application may answer by another name, or by an id of its own making.
    answer_id: str = ""
    answer_name: str = ""
    id_match: IdMatch = IdMatch.ABSENT
    responded: Instant | None = None
    response_bytes: int = 0
    results: list[str] = field(default_factory=list[str])
    encoding: set[EncodingFinding] = field(default_factory=set[EncodingFinding])
    failed: bool = False
    scheduling: str = ""
    will_continue: bool | None = None

    @property
    def outcome(self) -> ToolStatus:
        """How the call ends if nothing more comes."""
        if self.responded is None:
            return ToolStatus.UNANSWERED
        return ToolStatus.ERROR if self.failed else ToolStatus.OK

    @property
    def held_characters(self) -> int:
        return len(self.arguments) + sum(len(result) for result in self.results)

    def take(self, answer: Payload, id_match: IdMatch, now: Instant) -> None:
        """Add an answer's figures to those of the answers before."""
        response, parts, more = get(answer, "response"), get(answer, "parts"), get(answer, "willContinue")
        self.answer_id = _name(get(answer, "id")) or self.answer_id
        self.answer_name = _name(get(answer, "name")) or self.answer_name
        self.id_match = id_match
        self.responded = now
        # Null is an unset field; media results travel beside the response.
        self.response_bytes += sum(wire_bytes(value) for value in (response, parts) if value is not None)
        # Many tools always answer with both keys, and ``error: null`` when all went well.
        self.failed |= bool(get(response, "error"))
        self.scheduling = _name(get(answer, "scheduling")) or self.scheduling
        if isinstance(more, bool):
            self.will_continue = more
        elif self.will_continue:
            self.will_continue = False

    def add_result(self, result: str) -> None:
        if result:
            self.results.append(result)

    def ended(self, status: ToolStatus, now: Instant) -> ToolCallEnded:
        return ToolCallEnded(
            at_ns=now.wall_ns,
            turn=self.turn,
            call_id=self.call_id or self.answer_id,
            name=self.answer_name or self.name,
            called_at_ns=self.called.wall_ns if self.called else None,
            responded_at_ns=self.responded.wall_ns if self.responded else None,
            latency_ms=ms_between(self.called, self.responded) if self.responded else None,
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
            id_match=self.id_match,
            in_flight=self.in_flight,
            status=status,
            encoding=tuple(sorted(self.encoding)),
            scheduling=self.scheduling,
            will_continue=self.will_continue,
            arguments=self.arguments,
            result=self.results[0] if len(self.results) == 1 else _array(self.results),
        )


class ToolTracker:
    """The tool calls of one connection. Content is kept only with ``capture_content``.

    ``met_call`` says whether the last toolResponse message answered an open call.
    """

    def __init__(
        self, ended_calls: dict[str, IdMatch] | None = None, *, capture_content: bool = False
    ) -> None:
        self._capture_content = capture_content
        self._open: list[_Call] = []
        # The session's: a call may be answered on the connection after the one that it came by.
        self._ended: dict[str, IdMatch] = {} if ended_calls is None else ended_calls
        self.met_call = False
        self._held_characters = 0
        self.last_response: Instant | None = None

    @property
    def open_calls(self) -> int:
        """Calls that wait for their answer, or for the rest of it."""
        return len(self._open)

    def called(self, message: Payload, turn: int, now: Instant) -> list[ToolCallEnded]:
        """Take note of a toolCall message; it may hold several calls. Returns those that made room."""
        ended: list[ToolCallEnded] = []
        for call in objects(find(message, "toolCall", "functionCalls")):
            if len(self._open) >= MAX_OPEN_CALLS:
                ended.append(self._end_as_it_stands(self._open[0], now))
            self._open.append(self._new_call(call, turn, now))
        return ended

    def responded(
        self, message: Payload, turn: int, now: Instant, *, valid_utf8: bool = True
    ) -> list[ToolCallEnded]:
        """Return what a toolResponse message ended; it may hold several answers.

        Args:
            message: the whole message, its text decoded somehow even if it was not UTF-8.
            turn: the turn now, for answers that meet no call.
            now: when the message crossed the socket.
            valid_utf8: whether its bytes were UTF-8; if not, that is said of every answer in it.
        """
        answers = list(objects(find(message, "toolResponse", "functionResponses")))
        if answers:
            self.last_response = now
        self.met_call = False
        ended = [self._answered(answer, turn, now, valid_utf8=valid_utf8) for answer in answers]
        return [fact for fact in ended if fact is not None]

    def cancelled(self, message: Payload, now: Instant) -> list[ToolCallEnded]:
        """Return the calls that a toolCallCancellation message took back."""
        ids = {_name(call_id) for call_id in strings(find(message, "toolCallCancellation", "ids"))} - {""}
        taken = [call for call in self._open if call.call_id in ids]
        for call in taken:
            self._forget(call, IdMatch.LATE)
        return [call.ended(ToolStatus.CANCELLED, now) for call in taken]

    def connection_closed(self, now: Instant) -> list[ToolCallEnded]:
        """Return the calls that nobody answered, or not to the end."""
        return [self._end_as_it_stands(call, now) for call in list(self._open)]

    def _new_call(self, call: Payload, turn: int, now: Instant) -> _Call:
        arguments: object = get(call, "args") or {}
        return _Call(
            call_id=_name(get(call, "id")),
            name=_name(get(call, "name")),
            turn=turn,
            called=now,
            in_flight=len(self._open) + 1,
            request_bytes=wire_bytes(arguments),
            arguments=self._held(self._content(arguments)),
        )

    def _answered(
        self, answer: Payload, turn: int, now: Instant, *, valid_utf8: bool
    ) -> ToolCallEnded | None:
        """Add an answer to its call; return the call's end unless more is to come."""
        call_id = _name(get(answer, "id"))
        met = self._match(call_id, _name(get(answer, "name")))
        self.met_call |= met is not None
        call = met or _Call("", "", turn, called=None, in_flight=len(self._open))
        call.take(answer, self._id_match(call_id, met), now)
        response = get(answer, "response")
        call.encoding |= findings(response, valid_utf8=valid_utf8)
        result = self._content(response)
        if met is not None and call.will_continue:
            call.add_result(self._held(result))
            return None
        if met is not None:
            self._forget(met, IdMatch.DUPLICATE)
        call.add_result(result)
        return call.ended(call.outcome, now)

    def _match(self, call_id: str, name: str) -> _Call | None:
        if not call_id:
            return next((call for call in self._open if call.name == name), None)
        by_id = next((call for call in self._open if call.call_id == call_id), None)
        if by_id is not None or call_id in self._ended:
            return by_id
        unnumbered = (call for call in self._open if not call.call_id and call.name == name)
        return next((call for call in unnumbered if call.answer_id in {"", call_id}), None)

    def _id_match(self, call_id: str, met: _Call | None) -> IdMatch:
        if not call_id:
            return IdMatch.ABSENT
        if met is not None:
            return IdMatch.YES if met.call_id else IdMatch.NO
        return self._ended.get(call_id, IdMatch.NO)

    def _end_as_it_stands(self, call: _Call, now: Instant) -> ToolCallEnded:
        self._forget(call, IdMatch.LATE if call.responded is None else IdMatch.DUPLICATE)
        return call.ended(call.outcome, now)

    def _forget(self, call: _Call, afterwards: IdMatch) -> None:
        self._open.remove(call)
        self._held_characters -= call.held_characters
        call_id = call.call_id or call.answer_id
        if call_id:
            self._ended[call_id] = afterwards
            if len(self._ended) > MAX_ENDED_IDS:
                del self._ended[next(iter(self._ended))]

    def _content(self, value: object) -> str:
        return compact(value) if self._capture_content and value is not None else ""

    def _held(self, content: str) -> str:
        """Return content that is to wait for the end of its call, unless too much does already."""
        if self._held_characters + len(content) > MAX_HELD_CHARACTERS:
            return ""
        self._held_characters += len(content)
        return content


def _name(value: object) -> str:
    return text(value)[:MAX_NAME_CHARACTERS]


def _array(results: list[str]) -> str:
    """Return the results of several answers as one JSON array; nothing of none."""
    return f"[{','.join(results)}]" if results else ""
