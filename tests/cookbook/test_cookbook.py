"""docs/sql-cookbook.md: every question runs, over public views alone, and is answered as the page says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.collector.sql.test_reference import documented
from tests.cookbook.answers import PAGE, Answer, Question, questions

REPOSITORY = Path(__file__).parents[2]
TEXT = PAGE.read_text("utf-8")
QUESTIONS = questions(TEXT)
BY_TITLE = {question.title: question for question in QUESTIONS}


@pytest.fixture(scope="session")
def answered() -> dict[str, Answer]:
    """What the engine answers, by the question's title; in a process of its own, over data of its own."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.cookbook.answers"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    answers = [Answer(**told) for told in json.loads(finished.stdout)]
    return {question.title: answer for question, answer in zip(QUESTIONS, answers, strict=True)}


@pytest.mark.parametrize("title", BY_TITLE)
def test_a_question_is_answered_as_the_page_says(answered: dict[str, Answer], title: str) -> None:
    """``python -m tests.cookbook.write`` writes the answers anew."""
    assert answered[title].rows >= 1
    assert answered[title].text == BY_TITLE[title].answer


@pytest.mark.parametrize("title", BY_TITLE)
def test_an_answer_does_not_depend_on_join_use_nulls(answered: dict[str, Answer], title: str) -> None:
    assert answered[title].with_nulls == answered[title].text


@pytest.mark.parametrize("question", QUESTIONS, ids=list(BY_TITLE))
def test_a_question_reads_public_views_alone(question: Question) -> None:
    read = set(re.findall(r"\b(?:FROM|JOIN|IN)\s+(\w+)", question.sql))

    assert read
    assert read <= documented().keys()


def test_there_are_as_many_questions_as_headings_and_no_two_alike() -> None:
    """A question whose form the tests do not recognise would go unchecked."""
    headings = re.findall(r"^### (.+)$", TEXT, re.MULTILINE)

    assert [question.title for question in QUESTIONS] == headings
    assert len(set(headings)) == len(headings) >= 24
    assert len(re.findall(r"^```", TEXT, re.MULTILINE)) == 4 * len(headings)


def test_no_line_of_a_query_is_too_long_to_read() -> None:
    assert max(len(line) for question in QUESTIONS for line in question.sql.splitlines()) <= 110
