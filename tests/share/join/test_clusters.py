"""A scan's groups made ready for a week, and what a week's answer says of them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import ConfigError
from stillwatch.share.join.clusters import Cluster, asked, corroborated, leads_of, prepare, told_p
from stillwatch.share.join.contribution import check_commitment
from stillwatch.share.join.rule import Match
from stillwatch.share.join.tags import Value

EPOCH = "2026-W48"


def cluster(name: str, *numbers: int, accounts: int = 12) -> Cluster:
    """A group that shows these address blocks."""
    return Cluster(
        name,
        tuple(map(str, range(accounts))),
        "watch",
        0.3,
        tuple(Value("address", b"net:%d" % n) for n in numbers),
    )


def tags_for(*clusters: Cluster) -> dict[Value, bytes]:
    """Tags as a week would give them, all different."""
    return {value: value.value.ljust(64, b".") for value in asked(clusters)}


def test_a_contribution_names_nothing_of_the_run_and_fits_its_commitment():
    """What leaves has random names; which cluster each stands for stays in the member's book."""
    both = cluster("G-secret-1", 1, 2, 3), cluster("G-secret-2", 4, 5)
    made = prepare("north", EPOCH, both, tags_for(*both))
    assert b"secret" not in made.contribution.bytes() and "secret" not in repr(made)
    assert sorted(made.book.values()) == ["G-secret-1", "G-secret-2"]
    check_commitment(made.contribution, made.nonce, made.committed)


def test_a_value_of_two_own_clusters_is_asked_for_once_and_handed_in_for_neither():
    """It tells the clusters apart for nobody, and the joiner would set the contribution aside for it."""
    both = cluster("a", 1, 2), cluster("b", 2, 3)
    assert len(asked(both)) == 3
    tags = tags_for(*both)
    made = prepare("north", EPOCH, both, tags)
    handed = {t for each in made.contribution.clusters for found in each.tags.values() for t in found}
    assert tags[Value("address", b"net:2")] not in handed
    assert tags[Value("address", b"net:1")] in handed


def test_a_value_without_a_tag_and_a_small_cluster_are_refused():
    """Nothing is handed in by halves; the refusal does not say the value."""
    with pytest.raises(ConfigError, match="address") as caught:
        prepare("north", EPOCH, [cluster("a", 77)], {})
    assert "77" not in str(caught.value)
    small = cluster("a", 1, accounts=9)
    with pytest.raises(ConfigError, match="10 are needed"):
        prepare("north", EPOCH, [small], tags_for(small))


def test_leads_are_in_own_words_and_foreign_names_are_passed_over():
    """A pair names two clusters; the member's book knows one of them."""
    pairs = [
        Match(("north", "south"), ("aa", "bb"), "5-9%"), Match(("south", "north"), ("cc", "dd"), "25%+"),
        Match(("north", "south"), ("zz", "bb"), "5-9%"),
    ]  # fmt: skip
    found = leads_of(pairs, "north", {"aa": "G-1", "dd": "G-2"})
    assert [(lead.subject, lead.member, lead.theirs) for lead in found] == [
        ("G-1", "south", "bb"), ("G-2", "south", "cc")
    ]  # fmt: skip


@given(st.floats(0, 1))
def test_what_is_told_of_a_p_value_is_never_less_than_it(p):
    """Rounded up, it is still a p-value."""
    assert told_p(p) >= p


def test_without_partners_it_is_the_procedure_of_benjamini_and_hochberg():
    """Nothing is gained where nobody was matched."""
    own = {"a": 0.002, "b": 0.009, "c": 0.03, "d": 0.9}
    assert corroborated(own, {}, 0.02) == ("a", "b")
    assert corroborated({}, {}, 0.02) == ()


def test_what_the_scan_did_not_test_stands_by_its_partners_alone():
    """A candidate has no p-value of its own; it is one more hypothesis, and needs a partner's."""
    assert corroborated({"a": 0.9}, {"candidate": [0.001]}, 0.01) == ("candidate",)
    assert corroborated({"a": 0.9}, {"candidate": [0.05, 0.02]}, 0.01) == ()


def test_corroboration_keeps_the_false_discovery_rate_where_joins_are_true():
    """Honest networks, whose p-values are uniform at all three members and even the same, and campaigns among them."""
    rng = random.Random(9)
    false = found = 0
    proportions = []
    for week in range(600):
        own, told = {}, {}
        for n in range(20):
            honest = n < 14
            draw = [rng.random() if honest else rng.random() ** 6 / 50 for _ in range(3)]
            if honest and week % 2:
                draw = [draw[0]] * 3
            own[f"{'honest' if honest else 'network'} {n}"] = draw[0]
            told[f"{'honest' if honest else 'network'} {n}"] = [told_p(p) for p in draw[1:]]
        stand = corroborated(own, told, 0.1)
        wrong = sum(name.startswith("honest") for name in stand)
        proportions.append(wrong / max(len(stand), 1))
        false, found = false + wrong, found + len(stand)
    assert found > 2000
    assert sum(proportions) / len(proportions) < 0.1


def test_a_false_join_is_what_the_rate_does_not_cover():
    """An honest cluster that is joined to a stranger's campaign stands with it: a person looks at it first."""
    assert corroborated({"honest": 0.8}, {"honest": [0.001]}, 0.01) == ("honest",)
