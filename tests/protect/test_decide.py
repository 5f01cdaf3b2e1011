"""From facts to a decision: order, modes, switches, and what the customer is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.protect.decide import decide, fault
from stillwatch.protect.index import MOST_PROFILES
from stillwatch.protect.modes import in_canary
from stillwatch.records import Action, Facts, Mode, Reason, Request, Standing
from tests.protect.making import HEAD, MEMBER, NOW, facts, policy, rule


def test_the_first_rule_that_matches_decides() -> None:
    """Order is all; later rules are not asked."""
    found = policy(rule("a", when='hint = ["review"]', action="deny"), rule("b", when='hint = ["act"]', action="hold"),
                   rule("c", action="deny"))  # fmt: skip
    assert decide(found, facts(standing=MEMBER), NOW).rule == "b"
    assert decide(found, facts(), NOW).rule == "c"


def test_the_fall_through_is_a_decision() -> None:
    """It serves, says why, names the policy, expires, and can be appealed."""
    answer = decide(policy(), facts(), NOW, settings_digest="s", run_digest="r")
    assert (answer.action, answer.reason, answer.rule, answer.allowed) == (
        Action.OBSERVE,
        Reason.NO_RULE,
        None,
        True,
    )
    assert answer.expires_at == NOW + timedelta(hours=24)
    assert answer.decision_id in answer.appeal
    assert (answer.settings_digest, answer.run_digest, answer.policy_version) == ("s", "r", "1")
    assert answer.sentence and answer.for_customer() is None


def test_a_decision_carries_what_it_must() -> None:
    """Action, reason code, sentence, version, families, expiry, appeal."""
    more = 'say = "Please write to us."\nexpires = "2h"'
    answer = decide(
        policy(rule(when='hint = ["act"]', action="hold", more=more)), facts(standing=MEMBER), NOW
    )
    assert answer.families == ("timing", "identity")
    assert answer.sentence == "Please write to us."
    assert answer.expires_at == NOW + timedelta(hours=2)
    assert not answer.allowed
    told = answer.for_customer()
    assert told is not None
    assert set(told) == {
        "decision_id",
        "action",
        "actions",
        "reason",
        "message",
        "policy_version",
        "expires_at",
        "appeal",
    }


def test_what_goes_along_is_told_too() -> None:
    """An action that goes with another is no secret: nothing is covert unless the policy says so."""
    more = 'also = ["summarise"]\nharden = { strip = ["logprobs"] }'
    answer = decide(
        policy(rule(when='hint = ["act"]', action="harden", more=more)), facts(standing=MEMBER), NOW
    )
    told = answer.for_customer()
    assert told is not None and told["actions"] == ["harden", "summarise"]


def test_the_customer_is_not_told_the_evidence() -> None:
    """Neither rule, campaign, family nor signal is in what a customer reads."""
    answer = decide(policy(rule("secret-rule", when='hint = ["act"]', action="deny")),
                    facts(standing=MEMBER, signals=(("sealed_replay", 1.0),)), NOW)  # fmt: skip
    text = str(answer.for_customer())
    assert not any(word in text for word in ("secret-rule", "G-1", "timing", "identity", "sealed"))


def test_covert_means_that_the_customer_is_not_told() -> None:
    """Only then, and only where the rule says so."""
    more = 'mark = { key = "k" }'
    open_, covert = (policy(rule(action="mark", more=m)) for m in (more, "covert = true\n" + more))
    assert decide(open_, facts(), NOW).for_customer() is not None
    assert decide(covert, facts(), NOW).for_customer() is None


def test_shadow_says_what_it_would_have_done_and_does_nothing() -> None:
    """The first in `would` is what would have been done."""
    found = policy(rule("a", when='hint = ["act"]', action="deny", more='mode = "shadow"'),
                   rule("b", action="harden"))  # fmt: skip
    answer = decide(found, facts(standing=MEMBER), NOW)
    assert (answer.rule, answer.action) == ("b", Action.HARDEN)
    assert [(w.rule, w.action) for w in answer.would] == [("a", Action.DENY)]


def test_a_rule_that_observes_ends_the_search_even_in_shadow() -> None:
    """So that a grant protects in every mode."""
    found = policy(
        rule("granted", when='grant = ["inside"]', more='mode = "shadow"'), rule("deny", action="deny")
    )
    assert decide(found, facts(grant="inside"), NOW).allowed
    assert not decide(found, facts(), NOW).allowed


def test_a_canary_acts_for_its_share_of_accounts_and_keeps_them_as_it_grows() -> None:
    """Chosen by digest: the same everywhere, nested, near the stated share."""
    found = policy(rule(action="deny", more='mode = "canary"\ncanary_share = 0.1'))
    wider = policy(rule(action="deny", more='mode = "canary"\ncanary_share = 0.3'))
    names = [f"acct-{i}" for i in range(4_000)]
    inside = {n for n in names if not decide(found, facts(account_id=n), NOW).allowed}
    more = {n for n in names if not decide(wider, facts(account_id=n), NOW).allowed}
    assert inside < more
    assert inside == {n for n in names if in_canary(n, "test", 0.1)}
    assert 320 < len(inside) < 480, "ten per cent of 4,000, within four standard deviations"
    outside = decide(found, facts(account_id=next(n for n in names if n not in inside)), NOW)
    assert outside.allowed and outside.would[0].action is Action.DENY


def test_a_switched_off_rule_is_passed_over() -> None:
    """As if it were not there."""
    found = policy(rule("a", action="deny"), rule("b", action="harden"))
    assert decide(found, facts(), NOW, off=frozenset({"a"})).rule == "b"


@pytest.mark.parametrize(("has", "asked", "met"), [("email", "card", False), ("card", "card", True),
                                                   ("business", "identity", True), ("identity", "business", True),
                                                   (None, "email", False)])  # fmt: skip
def test_verification_is_asked_only_of_those_who_lack_it(has: str | None, asked: str, met: bool) -> None:
    """An account at the level or above is not met by the rule; identity and business count alike."""
    head = HEAD + 'verify_url = "https://example.com/v?c={challenge}"\n'
    found = policy(rule(action="verify", more=f'verify = {{ level = "{asked}" }}'), head=head)
    assert decide(found, facts(verification=has), NOW).allowed is met
    assert decide(found, facts(standing={"verification": has}), NOW).allowed is met


def test_the_marking_key_is_the_campaigns_own() -> None:
    """Named after the campaign, so that a later student can be traced to it."""
    found = policy(rule(when='kind = ["campaign"]', action="mark", more='mark = { key = "campaign" }'))
    assert decide(found, facts(standing=MEMBER), NOW).terms.key == "campaign:G-1"


CASES: list[tuple[str, Facts, Facts]] = [
    ('model = ["m-*"]', facts(model="m-1"), facts(model="x-m-1")),
    ('model = ["M-1"]', facts(model="M-1"), facts(model="m-1")),
    ('operation = ["embedding"]', facts(operation="embedding"), facts()),
    ('channel = ["api"]', facts(channel="api"), facts()),
    ('plan = ["free"]', facts(plan="free"), facts(plan="pro", standing={"plan": "free"})),
    ('programme = ["startup"]', facts(standing={"programme": "startup"}), facts()),
    ('verification = ["unknown"]', facts(), facts(verification="email")),
    ('account = ["acct-1", "b"]', facts(), facts(account_id="c")),
    ('org = ["o"]', facts(org_id="o"), facts()),
    ('campaign = ["G-1"]', facts(standing=MEMBER), facts(standing={**MEMBER, "campaign_id": "G-2"})),
    ('families = ["timing"]', facts(standing=MEMBER), facts(standing={**MEMBER, "families": ("content",)})),
    ("families_at_least = 2", facts(standing=MEMBER), facts(standing={**MEMBER, "families": ("content",)})),
    ("membership_bits_at_least = 30", facts(standing=MEMBER), facts(standing={**MEMBER, "membership_bits": 29.9})),
    ("extraction_share_at_least = 0.5", facts(standing=MEMBER), facts()),
    ("false_discovery_rate_at_most = 0.01", facts(standing=MEMBER), facts()),
    ('confidence = ["high"]', facts(standing=MEMBER), facts()),
    ('grant = ["outside"]', facts(grant="outside"), facts(grant="inside")),
    ('signals = ["sealed_replay"], score_at_least = 0.5', facts(signals=(("sealed_replay", 0.5),)),
     facts(signals=(("sealed_replay", 0.4), ("logit_harvest", 1.0)))),
    ('hint = ["act"], model = ["m-large"]', facts(standing=MEMBER), facts(standing=MEMBER, model="m")),
]  # fmt: skip


@pytest.mark.parametrize(("when", "fits", "fails"), CASES, ids=[c[0] for c in CASES])
def test_conditions(when: str, fits: Facts, fails: Facts) -> None:
    """Each condition matches what it says and nothing else; what it misses has a name."""
    found = policy(rule(when=when, action="hold"))
    assert decide(found, fits, NOW).rule == "r"
    assert decide(found, fails, NOW).rule is None
    matcher = found.index.matchers[0]
    assert matcher.missing(fits) == []
    assert matcher.missing(fails)


WORDS: dict[str, list[Any]] = {
    "tier": ["none", "member", "watch"], "hint": ["none", "review", "act"], "kind": ["none", "campaign", "pool"],
    "grant": ["none", "inside"], "model": ["m-1", "m-2", "x"], "plan": ["a", "b"], "account": ["p", "q"],
    "families": ["timing", "content"], "signals": ["sealed_replay", "logit_harvest"],
}  # fmt: skip


@st.composite
def rules(draw: st.DrawFn) -> list[dict[str, list[str]]]:
    """Some rules with any conditions of WORDS."""
    one = st.fixed_dictionaries(
        {}, optional={k: st.lists(st.sampled_from(v), min_size=1, unique=True) for k, v in WORDS.items()}
    )
    return [r for r in draw(st.lists(one, max_size=8)) if r]


@given(rules(), st.data())
def test_the_index_finds_what_reading_every_rule_finds(
    asked: list[dict[str, list[str]]], data: st.DataObject
) -> None:
    """Against ten lines of plain Python."""

    def quoted(items: list[str]) -> str:
        return "[" + ", ".join(f'"{i}"' for i in items) + "]"

    found = policy(*(rule(f"r{i}", when=", ".join(f"{k} = {quoted(v)}" for k, v in r.items()), action="deny")
                     for i, r in enumerate(asked)))  # fmt: skip
    for _ in range(5):
        got = {k: data.draw(st.sampled_from(v)) for k, v in WORDS.items()}
        case = facts(
            standing={"tier": got["tier"], "hint": got["hint"], "kind": got["kind"], "families": (got["families"],)},
            grant=got["grant"], model=got["model"], plan=got["plan"], account_id=got["account"],
            signals=((got["signals"], 1.0),),
        )  # fmt: skip

        def fits(r: dict[str, list[str]], got: dict[str, str] = got) -> bool:
            return all(set(v) <= {got["families"]} if k == "families" else got[k] in v for k, v in r.items())

        first = next((f"r{i}" for i, r in enumerate(asked) if fits(r)), None)
        assert decide(found, case, NOW).rule == first


def test_a_flood_of_new_models_does_not_fill_the_memory() -> None:
    """What a customer can invent is remembered up to a limit."""
    found = policy(rule(when='model = ["m-*"]', action="harden"))
    for i in range(MOST_PROFILES + 10):
        decide(found, facts(model=f"m-{i}"), NOW)
    assert len(found.index._known) <= MOST_PROFILES


def test_decisions_are_pure() -> None:
    """The same facts at the same time under the same policy give the same decision, id included."""
    found = policy(rule(action="harden"))
    case = facts(standing=MEMBER, prompt="a")
    assert decide(found, case, NOW) == decide(found, case, NOW)
    other = replace(case, request=replace(case.request, request_id="r-2"))
    assert decide(found, other, NOW).decision_id != decide(found, case, NOW).decision_id


@pytest.mark.parametrize("closed", [True, False])
def test_faults_say_what_they_are(closed: bool) -> None:
    """Open serves, closed does not; both are recorded as such and expire soon."""
    answer = fault(Request("r", "a", "m"), NOW, closed=closed, policy=policy())
    assert answer.allowed is not closed
    assert answer.reason is (Reason.FAIL_CLOSED if closed else Reason.FAIL_OPEN)
    assert (answer.for_customer() is not None) is closed
    assert answer.expires_at - NOW < timedelta(minutes=2)


def test_hostile_names_are_only_names() -> None:
    """Lone surrogates, controls and length in ids and models change nothing."""
    found = policy(rule(when='model = ["m-*"]', action="deny"))
    for name in ("\ud800", "a\x00b", "x" * 100_000, ""):
        assert decide(found, facts(account_id=name, model=name, request_id=name), NOW).mode is Mode.ENFORCE
    assert Standing() == Standing()
