"""Attribution: levels, facts, alternatives, a person; and what is never inferred."""

from __future__ import annotations

import pytest

from stillwatch.errors import ConfigError
from stillwatch.evidence.attribution import LIKELIHOOD, Level, checked, lint

FACTS = [
    {"kind": "corporate_record", "fact": "The paying company is a branch.", "source": "register, 2026-04-01"},
    {"kind": "contract", "fact": "It signed for the accounts.", "source": "contract 7"},
    {"kind": "offer_of_sale", "fact": "Accounts were offered for sale.", "source": "exhibit 12"},
    {"kind": "identity_document", "fact": "A passport was given.", "source": "sign-up record"},
]
GOOD = {
    "level": "organisation", "statement": "The accounts are likely run by one company.", "likelihood": "likely",
    "confidence": "moderate", "signed_by": "C. Lindqvist", "facts": FACTS,
    "hypotheses": [
        {"claim": "one company", "for": "the contract", "against": "it denies"},
        {"claim": "a reseller of its seats", "for": "the offer", "against": "one card"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("level", list(Level))
def test_each_level_with_what_it_needs(level: Level) -> None:
    """Is accepted, with the percentages that its word stands for and the caution that goes with it."""
    found = checked({**GOOD, "level": level})
    assert found["likelihood_percent"] == [55, 80]
    assert "Not all accounts need belong to one actor" in found["caution"]


def test_an_unknown_operator_needs_no_facts() -> None:
    """Only a person who says so."""
    assert lint({"level": "unknown_operator", "signed_by": "X", "statement": "not known"}) == []
    assert [p.where for p in lint({"level": "unknown_operator"})] == ["signed_by"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"level": "nation"}, "level"),
        ({"likelihood": "probably"}, "likelihood"),
        ({"likelihood": None}, "likelihood"),
        ({"confidence": "90 %"}, "confidence"),
        ({"signed_by": " "}, "signed_by"),
        ({"facts": FACTS[:1]}, "facts"),
        ({"facts": [FACTS[0], FACTS[0]]}, "facts"),
        ({"facts": [{"kind": "detection", "fact": "f", "source": "s"}] * 3}, "facts"),
        ({"facts": [{"kind": "hunch", "fact": "f", "source": "s"}, *FACTS]}, "facts[0]"),
        ({"facts": [{"kind": "contract", "fact": "f"}, *FACTS]}, "facts[0]"),
        ({"hypotheses": GOOD["hypotheses"][:1]}, "hypotheses"),
        (
            {"hypotheses": [{"claim": "x", "for": "y"}, {"claim": "z", "for": "", "against": "w"}]},
            "hypotheses[0]",
        ),
        ({"statement": "This proves that they are guilty."}, "statement"),
    ],
)
def test_what_is_missing_is_named(change: dict, where: str) -> None:
    """The first problem is in the message of the refusal."""
    assert where in [p.where for p in lint({**GOOD, **change})]
    with pytest.raises(ConfigError, match="attribution"):
        checked({**GOOD, **change})


@pytest.mark.parametrize(
    "text",
    [
        "The prompts are written in Chinese, so the operator is Chinese.",
        "Most speak Russian; the operators are from Russia.",
        "They use a VPN, so they are likely Iranian.",
        "Surnames look Korean.",
        "A Chinese operator, as the language of the prompts shows.",
        "VPN exits point to a foreign national.",
        "The time zone suggests citizens of another country, presumably Russian.",
    ],
)
def test_origin_is_never_inferred_from_language_names_or_vpn(text: str) -> None:
    """Wherever it is written."""
    for place in (
        {"statement": text},
        {"facts": [*FACTS, {"kind": "contract", "fact": text, "source": "s"}]},
    ):
        assert any("origin is not inferred" in p.reason for p in lint({**GOOD, **place}))


@pytest.mark.parametrize(
    "text",
    [
        "The company is registered in Hangzhou, according to the register.",
        "The contract names a company under Chinese law.",
        "Prompts are in eight languages.",
        "The accounts used a commercial VPN.",
    ],
)
def test_a_record_may_say_where_a_company_is(text: str) -> None:
    """The lint refuses the inference, not the fact."""
    assert lint({**GOOD, "statement": text}) == []


def test_the_words_cover_the_scale_without_gaps() -> None:
    """As ICD 203 has them."""
    ranges = list(LIKELIHOOD.values())
    assert [low for low, _ in ranges[1:]] == [high for _, high in ranges[:-1]]
