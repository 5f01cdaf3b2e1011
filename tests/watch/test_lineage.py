"""Groups are followed from look to look by their accounts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.watch import follow

ACCOUNTS = st.frozensets(st.integers(0, 12).map(str), min_size=1, max_size=8)
GROUPS = st.dictionaries(st.sampled_from("ABCDE"), ACCOUNTS, max_size=4)


@given(GROUPS, GROUPS)
def test_one_to_one_and_enough_in_common(
    before: dict[str, frozenset[str]], now: dict[str, frozenset[str]]
) -> None:
    """No group is followed twice, and two that are one share half of the smaller's accounts or more."""
    found = follow(before, now)
    assert len(set(found.values())) == len(found)
    for name, old in found.items():
        assert 2 * len(now[name] & before[old]) >= min(len(now[name]), len(before[old]))


@given(GROUPS)
def test_what_stays_is_itself(groups: dict[str, frozenset[str]]) -> None:
    """Groups that share no account are all found again when nothing has changed."""
    seen: set[str] = set()
    apart = {}
    for name, accounts in groups.items():
        if not accounts & seen:
            apart[name] = accounts
            seen |= accounts
    assert follow(apart, apart) == {name: name for name in apart}


def test_a_group_that_splits_goes_on_in_its_larger_part() -> None:
    """The other part is new."""
    before = {"G": frozenset("abcdefgh")}
    assert follow(before, {"X": frozenset("abc"), "Y": frozenset("defgh")}) == {"Y": "G"}


def test_a_group_that_grows_is_the_same() -> None:
    """Ten times as many accounts, with all of the old ones, are no other group."""
    few, many = frozenset(map(str, range(10))), frozenset(map(str, range(100)))
    assert follow({"G": few}, {"H": many}) == {"H": "G"}
