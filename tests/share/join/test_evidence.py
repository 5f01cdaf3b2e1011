"""A cluster's evidence in parts: as many as its share says, the same ones at every member, never one value alone."""

import random

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.share.join.evidence import KINDS, MOST_PARTS_OF_A_VALUE, PARTS, every_part, parts
from stillwatch.share.join.rule import Rule

SHARES = st.dictionaries(st.binary(min_size=1, max_size=9), st.floats(0, 1), max_size=30).map(
    lambda found: {value: share / max(1.0, sum(found.values())) for value, share in found.items()}
)


def common(one: dict[bytes, float], other: dict[bytes, float]) -> int:
    """Parts that two clusters have in common."""
    return len({v.value for v in parts("content", one)} & {v.value for v in parts("content", other)})


@given(SHARES)
def test_a_value_has_the_parts_that_its_share_says(shares):
    """Within one part, ten at most, and 400 of all together; the first parts always come first."""
    made = parts("content", shares)
    assert len(made) == len(set(made)) <= PARTS
    for value, share in shares.items():
        count = sum(each.value.rpartition(b"#")[0] == value for each in made)
        assert count <= min(MOST_PARTS_OF_A_VALUE, share * PARTS + 1)
        assert set(every_part("content", value)[:count]) <= set(made)


def test_common_parts_are_the_share_of_evidence_that_is_common():
    """Of many small values the sum of smaller shares comes out within a few parts (seed 4)."""
    draw = random.Random(4)
    values = [b"%d" % n for n in range(3000)]

    def shares() -> dict[bytes, float]:
        found = {value: draw.random() for value in draw.sample(values, 1500)}
        return {value: each / sum(found.values()) for value, each in found.items()}

    one, other = shares(), shares()
    expected = sum(min(one.get(value, 0.0), other.get(value, 0.0)) for value in values)
    assert abs(common(one, other) / PARTS - expected) < 0.06 and 0.2 < expected < 0.5


def test_one_value_that_all_accounts_of_two_clusters_show_is_not_enough():
    """An office, a template or a provider is less than a kind needs."""
    assert common({b"office": 1.0}, {b"office": 1.0}) == MOST_PARTS_OF_A_VALUE < Rule().fewest_of_a_kind


def test_kinds_do_not_share_parts():
    """The same bytes as another kind are another value."""
    assert len({each for kind in KINDS for each in every_part(kind, b"value")}) == len(KINDS) * 10
