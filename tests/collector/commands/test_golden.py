"""What every reading verb writes in every form, byte for byte."""

import pytest

from tests.collector.commands.conftest import MatchesGolden, Run
from tests.collector.commands.seed import TALK

ANSWERS = {
    "sessions": "sessions",
    "session": f"session {TALK}",
    "session_unpriced_part": "session film",
    "session_unseen": "session lesson-70",
    "session_shared": "session shared",
    "costs": "costs",
    "costs_by_user": "costs --by user",
    "costs_by_day_and_app": "costs --by day --by app",
    "closes": "closes",
    "closes_each": "closes --each",
    "sql": "sql 'SELECT session_id, cost_usd, started_at, labels, close_code, usage_coverage"
    " FROM live_sessions ORDER BY session_id'",
}
FORMS = {"txt": "", "json": " --json", "csv": " --csv"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ANSWERS)
def test_output_is_as_committed(run: Run, matches_golden: MatchesGolden, name: str, form: str) -> None:
    outcome = run(ANSWERS[name] + FORMS[form])
    assert (outcome.exit_code, outcome.err) == (0, "")
    # A user id and a close reason of these sessions hold escape sequences; only CSV gives bytes as they came.
    assert form == "csv" or "\x1b" not in outcome.out
    matches_golden(f"{name}.{form}", outcome.out)
