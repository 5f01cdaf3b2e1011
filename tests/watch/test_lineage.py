"""Groups are followed from look to look by their accounts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.watch import first_names, follow

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


@given(GROUPS, GROUPS, GROUPS)
def test_no_two_groups_are_known_under_one_name(
    first: dict[str, frozenset[str]], second: dict[str, frozenset[str]], third: dict[str, frozenset[str]]
) -> None:
    """Over looks in which ids come again for other groups; one that is followed keeps its name."""
    standing: dict[str, frozenset[str]] = {}
    for look, groups in enumerate((first, second, third), 1):
        same = follow(standing, groups)
        names = first_names(standing, groups, same, look)
        assert len(set(names.values())) == len(groups)
        assert all(names[name] == old for name, old in same.items())
        standing = {names[name]: accounts for name, accounts in groups.items()}


def test_an_id_that_comes_again_for_another_group_is_told_apart() -> None:
    """The group that had it first goes on under another id, and both can be put down."""
    before, now = {"G": frozenset("abcdefgh")}, {"G": frozenset("xyz"), "H": frozenset("abcdefg")}
    assert first_names(before, now, follow(before, now), 7) == {"G": "G.7", "H": "G"}
