from hypothesis import given
from hypothesis import strategies as st

from livemeter_collector.show.ids import SHORTEST, shortened, unique_prefix

long_ids = st.text("ab", min_size=17, max_size=24)


@given(st.sets(st.one_of(long_ids, st.text("ab", min_size=1, max_size=16)), max_size=12))
def test_what_is_shown_of_an_id_begins_no_other_id(ids: set[str]) -> None:
    for one, prefix in shortened(ids).items():
        assert one.startswith(prefix)
        # An id that is all of another's beginning stands for itself.
        assert prefix == one or not any(other.startswith(prefix) for other in ids - {one})


@given(st.sets(long_ids, min_size=1, max_size=12))
def test_nothing_shorter_would_do(ids: set[str]) -> None:
    for one, prefix in shortened(ids).items():
        if len(prefix) > SHORTEST:
            assert any(other.startswith(prefix[:-1]) for other in ids - {one})


def test_the_application_s_short_ids_are_left_whole() -> None:
    assert unique_prefix("lesson-7", "", "") == "lesson-7"
    assert unique_prefix("0199a7c2000070008000000000000001", "", "") == "0199a7c2"
