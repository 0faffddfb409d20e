"""What known frames cost, worked out by hand: told as the wire tells them, read from the views.

Prices of gemini-3.8-live in USD per million: text in 0.75, audio in 3, image and video in 1; text out 4.50,
thoughts included, audio out 12.
"""

import itertools
import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from livemeter_collector.store.contract import Store
from tests.accounting import delivery
from tests.accounting.truth import (
    Asked,
    Closing,
    Connection,
    Counts,
    Ended,
    Made,
    Part,
    Reported,
    Said,
    Session,
    Spelling,
    Step,
    Told,
)
from tests.accounting.wire import Process, live

MODEL = "gemini-3.8-live"
NOW_MS = time.time_ns() // 1_000_000 - 3_600_000


def lived(store: Store, *conversations: Sequence[Step], processes: Sequence[int] = ()) -> str:
    """Live through a session, a connection for each list of steps, resumed each time; return its id."""
    tag = secrets.token_hex(14)
    connections = [
        connection(tag, place, steps, process=processes[place] if processes else 0)
        for place, steps in enumerate(conversations)
    ]
    return live_through(store, Session(tuple(connections)))


def connection(
    tag: str,
    place: int,
    steps: Sequence[Step] = (),
    process: int = 0,
    refused_at: str = "",
    resumes: int | None = None,
    *,
    is_named: bool = False,
) -> Connection:
    """A connection that resumes the one before unless told otherwise; a minute after it, for half of one."""
    dialled_ms = NOW_MS + place * 60_000
    before = place - 1 if place else None
    return Connection(
        id=f"{tag}{place:04x}",
        process=process,
        dialled_ms=dialled_ms,
        model=MODEL,
        platform="gemini_api",
        steps=tuple(steps),
        closing=Closing(
            dialled_ms + 30_000, None if refused_at else 1000, "none" if refused_at else "client"
        ),
        resumes=None if refused_at == "handshake" else before if resumes is None else resumes,
        refused_at=refused_at,
        is_named=is_named,
    )


def live_through(store: Store, session: Session) -> str:
    processes = [Process() for _ in range(1 + max(one.process for one in session.connections))]
    live(session, processes)
    records = [record for one in processes for record in one.delivered()]
    dice = random.Random(session.id)
    delivery.insert(store, dice, records, session.id)
    store.command("SYSTEM RELOAD DICTIONARY livemeter.session_root")
    return session.id


def turn(exchange: int, *told: Told, audio_ms: int = 40) -> list[Step]:
    """A question, and a generation for each usage frame; a tool is called in between."""
    steps: list[Step] = [Asked(NOW_MS, exchange, "content")]
    for place, one in enumerate(told):
        is_last = place == len(told) - 1
        what = "audio" if is_last else "call"
        made_ms = audio_ms if is_last else 0
        steps.append(Made(NOW_MS, exchange, what, made_ms, "" if is_last else f"call-{place}", told=one))
    return [*steps, Ended(NOW_MS, exchange)]


def text(total: int) -> Part:
    return Part(total, (("TEXT", total),))


def audio(total: int) -> Part:
    return Part(total, (("AUDIO", total),))


def money(store: Store, session: str, *columns: str) -> tuple[object, ...]:
    sql = f"SELECT {', '.join(columns)} FROM livemeter.live_sessions WHERE session_id = {{id:String}}"
    (row,) = store.query(sql, {"id": session}).rows
    return row


def lines(store: Store, session: str) -> dict[tuple[str, str], tuple[object, ...]]:
    """Quantity, cost, and its bounds by direction and modality."""
    table = store.query(
        "SELECT direction, modality, quantity, usd, usd_low, usd_high FROM livemeter.live_session_costs"
        " WHERE session_id = {id:String}",
        {"id": session},
    )
    return {(str(row[0]), str(row[1])): tuple(row[2:]) for row in table.rows}


def prompts(store: Store, session: str) -> list[tuple[object, ...]]:
    """Kind, modality, fresh and carried of every pass's prompt."""
    return [
        *store.query(
            "SELECT pass, kind, modality, fresh, carried FROM livemeter.live_usage"
            " WHERE session_id = {id:String} AND kind IN ('prompt', 'cached') AND billable"
            " ORDER BY ts, connection_id, pass, kind DESC, modality",
            {"id": session},
        ).rows
    ]


FIELD = Counts(
    Part(522, (("TEXT", 332), ("AUDIO", 165))), audio(42), thoughts=136, total=564, service_tier="standard"
)
SPELLINGS = [Spelling(*each) for each in itertools.product((False, True), repeat=3)]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=str)
def test_a_frame_of_the_field_in_every_spelling(store: Store, spelling: Spelling) -> None:
    """522 tokens of prompt of which details tell 332 and 165; 42 of response; 136 of thoughts."""
    session = lived(store, turn(1, Told(FIELD, spelling=spelling)))

    assert lines(store, session) == {
        # 332 x 0.75 = 249.
        ("input", "TEXT"): (332, *[Decimal("0.000249")] * 3),
        # 165 x 3 = 495.
        ("input", "AUDIO"): (165, *[Decimal("0.000495")] * 3),
        # 522 - 332 - 165 = 25; as text 25 x 0.75 = 18.75, which is the cheapest; as audio 25 x 3 = 75.
        ("input", "UNATTRIBUTED"): (25, *map(Decimal, ("0.00001875", "0.00001875", "0.000075"))),
        # 42 x 12 = 504.
        ("output", "AUDIO"): (42, *[Decimal("0.000504")] * 3),
        # 136 x 4.50 = 612.
        ("output", "TEXT"): (136, *[Decimal("0.000612")] * 3),
    }
    # 249 + 495 + 18.75 + 504 + 612 = 1878.75, and 75 - 18.75 = 56.25 more at most.
    columns = ("input_tokens", "output_tokens", "cost_usd", "cost_low_usd", "cost_high_usd")
    dollars = map(Decimal, ("0.00187875", "0.00187875", "0.001935"))
    assert money(store, session, *columns) == (522, 178, *dollars)


def test_both_passes_of_a_turn_with_a_tool_are_billed_and_a_trailing_copy_is_not(store: Store) -> None:
    call = Told(Counts(text(3501), Part(28)))
    answer = Told(Counts(text(3642), audio(96)))
    copy = Told(answer.counts, is_copy=True, spelling=Spelling(candidates=True, snake=True))
    session = lived(store, [*turn(1, call, answer), Reported(NOW_MS, 1, copy), Reported(NOW_MS, 1, copy)])

    # (3501 + 3642) x 0.75 = 5357.25 and 96 x 12 = 1152; 28 of the call as text 28 x 4.50 = 126, as audio
    # 28 x 12 = 336.
    columns = ("turns", "tool_calls", "input_tokens", "output_tokens", "cost_usd", "cost_high_usd")
    dollars = map(Decimal, ("0.00663525", "0.00684525"))
    assert money(store, session, *columns) == (1, 1, 7143, 124, *dollars)
    # Nobody said of what modality the call's 28 tokens were: they are fresh when they come back as text.
    assert prompts(store, session) == [(1, "prompt", "TEXT", 3501, 0), (2, "prompt", "TEXT", 141, 3501)]
    copies = store.query(
        "SELECT count(), countIf(billable) FROM livemeter.live_usage"
        " WHERE session_id = {id:String} AND pass = 2",
        {"id": session},
    )
    # Three frames of two rows each.
    assert copies.rows == ((6, 2),)


GROWING = (
    Counts(text(143), audio(19)),
    Counts(Part(181, (("TEXT", 162), ("AUDIO", 19))), audio(24)),
    Counts(Part(224, (("TEXT", 181), ("AUDIO", 43))), audio(24)),
)


def test_growing_prompts_are_billed_whole_and_what_was_there_before_is_carried(store: Store) -> None:
    """Every answer comes back as audio, every question adds 19 tokens of text."""
    session = lived(store, [step for n, counts in enumerate(GROWING) for step in turn(n, Told(counts))])

    assert prompts(store, session) == [
        (1, "prompt", "TEXT", 143, 0),
        (2, "prompt", "AUDIO", 0, 19),
        (2, "prompt", "TEXT", 19, 143),
        (3, "prompt", "AUDIO", 0, 43),
        (3, "prompt", "TEXT", 19, 162),
    ]
    # Text in 143 + 162 + 181 = 486 x 0.75 = 364.5, audio in 19 + 43 = 62 x 3 = 186, audio out 67 x 12 = 804.
    # Carried: text 143 + 162 = 305 x 0.75 = 228.75, audio 186.
    dollars = map(Decimal, ("0.0013545", "0.00041475"))
    assert money(store, session, "input_tokens", "cost_usd", "carried_cost_usd") == (548, *dollars)


@pytest.mark.parametrize(
    ("processes", "carried"),
    [
        # The same process knows what the context held.
        ((0, 0), [(2, "prompt", "AUDIO", 0, 19), (2, "prompt", "TEXT", 19, 143)]),
        # Another one does not, and says so by calling all of it fresh. It counts its own passes.
        ((0, 1), [(1, "prompt", "AUDIO", 19, 0), (1, "prompt", "TEXT", 162, 0)]),
    ],
)
def test_the_first_prompt_after_a_resume_is_real_spend(
    store: Store, processes: tuple[int, int], carried: list[tuple[object, ...]]
) -> None:
    session = lived(
        store, *(turn(n, Told(counts)) for n, counts in enumerate(GROWING[:2])), processes=processes
    )

    assert prompts(store, session)[1:] == carried
    # Text in 143 + 162 = 305 x 0.75 = 228.75, audio in 19 x 3 = 57, audio out 43 x 12 = 516.
    columns = ("connections", "input_tokens", "cost_usd", "context_lost")
    assert money(store, session, *columns) == (2, 324, Decimal("0.00080175"), False)


def test_a_modality_that_the_server_calls_unattributed_is_of_the_remainder(store: Store) -> None:
    counts = Counts(Part(100, (("UNATTRIBUTED", 10), ("TEXT", 60))))
    session = lived(store, turn(1, Told(counts)))

    # 60 x 0.75 = 45; 10 and the untold 30 are 40, as text 40 x 0.75 = 30, as audio 40 x 3 = 120.
    assert lines(store, session) == {
        ("input", "TEXT"): (60, *[Decimal("0.000045")] * 3),
        ("input", "UNATTRIBUTED"): (40, *map(Decimal, ("0.00003", "0.00003", "0.00012"))),
    }


def test_cached_tokens_are_the_first_of_those_that_are_carried(store: Store) -> None:
    """The context held 100; 40 of the 150 were cached, 60 more were there before, 50 are new."""
    second = Counts(text(150), cached=text(40))
    session = lived(store, [*turn(1, Told(Counts(text(100)))), *turn(2, Told(second))])

    assert prompts(store, session) == [
        (1, "prompt", "TEXT", 100, 0),
        (2, "prompt", "TEXT", 50, 60),
        (2, "cached", "TEXT", 0, 40),
    ]
    # No price for cached tokens: (100 + 150) x 0.75 = 187.5, carried 100 x 0.75 = 75.
    dollars = map(Decimal, ("0.0001875", "0.000075"))
    assert money(store, session, "input_tokens", "cost_usd", "carried_cost_usd") == (250, *dollars)


def test_without_details_the_split_is_what_audio_was_measured_in_the_same_turn(store: Store) -> None:
    """Nobody told the usage of the first turn: what was said in it is heard, not said, in the second."""
    unseen: list[Step] = [Made(NOW_MS, 1, "audio", 2000), Ended(NOW_MS, 1)]
    session = lived(store, [*unseen, *turn(2, Told(Counts(Part(500), Part(110))), audio_ms=4000)])

    # 2 s x 25 = 50 of the prompt, 4 s x 25 = 100 of the response. 50 x 3 = 150, 450 x 0.75 = 337.5,
    # 100 x 12 = 1200, 10 x 4.50 = 45.
    assert {key: line[:2] for key, line in lines(store, session).items()} == {
        ("input", "AUDIO"): (50, Decimal("0.00015")),
        ("input", "UNATTRIBUTED"): (450, Decimal("0.0003375")),
        ("output", "AUDIO"): (100, Decimal("0.0012")),
        ("output", "UNATTRIBUTED"): (10, Decimal("0.000045")),
    }
    assert money(store, session, "usage_coverage") == (0.5,)


def test_usage_of_a_turn_without_output_is_usage_all_the_same(store: Store) -> None:
    """One turn with output had no usage frame, another without output had one: what is known is shown."""
    unseen: list[Step] = [Made(NOW_MS, 1, "audio", 40), Ended(NOW_MS, 1)]
    bookkeeping: list[Step] = [Asked(NOW_MS, 2, "content"), Ended(NOW_MS, 2, Told(Counts(text(5))))]
    session = lived(store, [*unseen, *bookkeeping])

    columns = ("is_unseen", "input_tokens", "cost_usd", "usage_coverage")
    assert money(store, session, *columns) == (False, 5, Decimal("0.00000375"), 0)


def test_what_was_said_is_billed_as_text_at_four_bytes_a_token(store: Store) -> None:
    """No usage frame tells of transcription."""
    said: list[Step] = [
        Asked(NOW_MS, 1, "content"),
        Made(NOW_MS, 1, "words"),
        Said(NOW_MS, 1, "Grüß"),
        Ended(NOW_MS, 1),
    ]
    session = lived(store, said)

    # Six bytes of UTF-8: 2 x 4.50 = 9.
    assert lines(store, session) == {("output", "TRANSCRIPTION"): (2, *[Decimal("0.000009")] * 3)}
    assert money(store, session, "is_unseen", "input_tokens", "cost_usd") == (True, None, Decimal("0.000009"))


def test_a_dial_that_failed_takes_nothing_from_the_context(store: Store) -> None:
    """Nor does it change which model the session has, or make it unknown whether context was lost."""
    tag = secrets.token_hex(14)
    first, second = (turn(n, Told(counts)) for n, counts in enumerate(GROWING[:2]))
    connections = (
        connection(tag, 0, first, is_named=True),
        connection(tag, 1, refused_at="handshake", is_named=True),
        connection(tag, 2, refused_at="setup", resumes=0, is_named=True),
        connection(tag, 3, second, resumes=0, is_named=True),
        connection(tag, 4, refused_at="handshake", is_named=True),
    )
    session = live_through(store, Session(connections, f"lesson-{tag}"))

    assert prompts(store, session)[1:] == [
        (2, "prompt", "AUDIO", 0, 19),
        (2, "prompt", "TEXT", 19, 143),
    ]
    columns = ("connections", "model", "status", "context_lost")
    assert money(store, session, *columns) == (5, MODEL, "failed", False)


@pytest.mark.parametrize(("last_prompt", "is_lost"), [(300, False), (250, True)])
def test_what_another_process_had_meanwhile_this_one_does_not_know(
    store: Store, last_prompt: int, *, is_lost: bool
) -> None:
    """The first process has the session again: its own last prompt, 100, is not the one before, 300."""
    tag = secrets.token_hex(14)
    told = [turn(n, Told(Counts(text(total)))) for n, total in enumerate((100, 300, last_prompt))]
    connections = tuple(
        connection(tag, place, steps, process=place % 2, is_named=True) for place, steps in enumerate(told)
    )
    session = live_through(store, Session(connections, f"lesson-{tag}"))

    assert [row[3:] for row in prompts(store, session)] == [(100, 0), (300, 0), (last_prompt, 0)]
    assert money(store, session, "context_lost") == (is_lost,)
    told_from = store.query(
        "SELECT attempt, resumed_from FROM livemeter.live_connections WHERE connection_id = {id:String}",
        {"id": connections[2].id},
    )
    assert told_from.rows == ((3, connections[1].id),)


def test_a_clock_that_was_set_back_does_not_say_which_prompt_was_the_last(store: Store) -> None:
    tag = secrets.token_hex(14)
    earlier = [replace(step, at_ms=NOW_MS - 500) for step in turn(2, Told(Counts(text(500))))]
    before = [*turn(1, Told(Counts(text(4000)))), *earlier]
    connections = (
        connection(tag, 0, before),
        connection(tag, 1, turn(3, Told(Counts(text(999)))), process=1),
    )
    session = live_through(store, Session(connections))

    assert money(store, session, "context_lost") == (False,)
