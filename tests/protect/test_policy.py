"""A policy loads whole or is refused with file, line and rule."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import SourceError
from stillwatch.protect.conditions import CONDITIONS
from stillwatch.protect.policy import parse_policy
from stillwatch.protect.signals import PROMPT_SIGNALS, SIGNALS
from stillwatch.records import SERVED, Action, Mode
from stillwatch.wiring.policy_files import read_policy, shipped_text
from tests.protect.making import HEAD, policy, rule

START = HEAD.count("\n")
REFUSED = {
    "unknown key of the file": ('polcy = "x"\n' + HEAD, 1, "polcy: no such key"),
    "missing head": ('policy = "x"\nversion = "1"\n', 1, "appeal is missing"),
    "rule is a table": (HEAD + '[rule]\nid = "a"\n', START + 1, "not an array of tables"),
    "no id": (HEAD + '[[rule]]\naction = "deny"\n', START + 1, "rule 1: id must be"),
    "unknown key of a rule": (HEAD + rule(more="colour = 1"), START + 6, "rule r: colour: no such key"),
    "wrong action": (HEAD + rule(action="ban"), START + 4, '"ban" is none of observe'),
    "wrong reason": (HEAD + rule().replace("access_terms", "no_rule"), START + 5, '"no_rule" is none of'),
    "no condition": (HEAD + rule(when=""), START + 3, "when: no condition"),
    "unknown condition": (HEAD + rule(when='hints = ["act"]'), START + 3, "hints: no such condition"),
    "unknown word": (HEAD + rule(when='hint = ["atc"]'), START + 3, '"atc" is none of none, watch'),
    "not a list": (HEAD + rule(when='hint = "act"'), START + 3, "must be a list"),
    "empty list": (HEAD + rule(when="account = []"), START + 3, "an empty list matches nothing"),
    "share above one": (HEAD + rule(when="extraction_share_at_least = 2"), START + 3, "a number from 0 to 1"),
    "everyone false": (HEAD + rule(when="everyone = false"), START + 3, "only true"),
    "score of nothing": (HEAD + rule(when="score_at_least = 0.5"), START + 3, "of which signals"),
    "throttle without terms": (HEAD + rule(action="throttle"), START + 1, "throttle.rate_per_min must be"),
    "burst of nothing": (
        HEAD + rule(action="throttle", more="throttle = { rate_per_min = 1, burst = 0 }"), START + 6, "throttle.burst",
    ),
    "shared by nobody": (
        HEAD + rule(action="throttle", more='throttle = { rate_per_min = 1, burst = 1, per = "ip" }'), START + 6,
        "throttle.per must be one of account, campaign, org",
    ),
    "terms of another action": (
        HEAD + rule(more="throttle = { rate_per_min = 1, burst = 1 }"), START + 6, "does not throttle",
    ),
    "verify without a place": (
        HEAD + rule(action="verify", more='verify = { level = "card" }'), START + 4, "verify needs verify_url",
    ),
    "strip and clamp": (
        HEAD + rule(action="harden", more='harden = { strip = ["n"], clamp = { n = 1 } }'), START + 6, "both stripped",
    ),
    "strip the unknown": (
        HEAD + rule(action="harden", more='harden = { strip = ["model"] }'), START + 6, "harden.strip",
    ),
    "mark without a key": (HEAD + rule(action="mark"), START + 1, "mark.key must name a key"),
    "mark of no campaign": (
        HEAD + rule(action="mark", more='mark = { key = "campaign" }'), START + 6, "needs a condition on the group",
    ),
    "deny with more": (HEAD + rule(action="deny", more='also = ["harden"]'), START + 6, "nothing goes with deny"),
    "two denials": (HEAD + rule(action="harden", more='also = ["deny"]'), START + 6, "deny cannot go with harden"),
    "span": (HEAD + rule(more='expires = "soon"'), START + 6, "expires must be a span"),
    "no span": (HEAD + rule(more='expires = "0h"'), START + 6, "expires must be a span"),
    "covert in other words": (HEAD + rule(more='covert = "yes"'), START + 6, "covert must be true or false"),
    "mode": (HEAD + rule(more='mode = "dry"'), START + 6, '"dry" is none of shadow'),
    "canary": (HEAD + rule(more="canary_share = 5"), START + 6, "canary_share must be a number from 0 to 1"),
    "same id": (HEAD + rule() + rule(), START + 8, "the id is used twice"),
    "sentence of two lines": (HEAD + rule(more='say = "a\\nb"'), START + 6, "say: one line"),
    "second rule": (HEAD + rule() + rule("b", action="ban"), START + 10, "rule b: action"),
    "sub-table": (
        HEAD + '[[rule]]\nid = "a"\naction = "deny"\nreason = "access_terms"\n[rule.when]\nmodle = ["x"]\n',
        START + 6, "modle: no such condition",
    ),
    "not TOML": (HEAD + "[[rule]\n", START + 1, "not valid TOML"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_policy_that_cannot_be_used_is_refused_with_line_and_rule(name: str) -> None:
    """The error names the file, the very line, and what is wrong; it always has a hint."""
    text, line, words = REFUSED[name]
    with pytest.raises(SourceError) as caught:
        parse_policy(text, where="policy.toml")
    assert str(caught.value).startswith(f"policy.toml:{line}: "), str(caught.value)
    assert words in str(caught.value)
    assert caught.value.hint


def test_the_shipped_policy_never_withholds_service() -> None:
    """It starts in shadow, and no rule of it holds, denies, verifies or is covert."""
    shipped = read_policy(None)
    assert {r.mode for r in shipped.rules} == {Mode.SHADOW}
    assert all(set((r.action, *r.also)) <= SERVED and not r.covert for r in shipped.rules)
    assert shipped.notices == ()
    assert "[[rule]]" in shipped_text()


def test_covert_rules_are_announced() -> None:
    """Whoever loads the policy is told which rule is covert, and where it stands."""
    quiet = policy(rule("a", action="mark", more='mark = { key = "k" }'))
    covert = policy(rule("a", action="mark", more='covert = true\nmark = { key = "k" }'))
    assert quiet.notices == ()
    assert covert.notices == (f"rule a (line {START + 1}) is covert: customers are not told of its mark",)


def test_rules_that_nothing_reaches_are_announced() -> None:
    """A rule for everyone ends the search; to refuse everyone is said aloud."""
    found = policy(rule("all", action="deny"), rule("late", when='hint = ["act"]'))
    assert [n.split(" (")[0] for n in found.notices] == ["rule all", "rule late"]
    assert policy(rule("all", more='mode = "shadow"'), rule("late", when='hint = ["act"]')).notices == ()


def test_a_rule_that_is_off_is_not_in_the_policy() -> None:
    """It is still checked."""
    assert [r.id for r in policy(rule("a", more="off = true"), rule("b")).rules] == ["b"]
    with pytest.raises(SourceError, match="rule a: action"):
        policy(rule("a", action="ban", more="off = true"))


WEAK = ('model = ["*"]', 'plan = ["free"]', 'verification = ["none"]', 'operation = ["chat"]', "score_at_least = 1",
        'grant = ["inside"]', 'grant = ["none"]', 'hint = ["none", "act"]', 'tier = ["none"]', "everyone = true",
        "membership_bits_at_least = 0", "false_discovery_rate_at_most = 1")  # fmt: skip


@pytest.mark.parametrize(
    ("signal", "action", "weak"),
    list(itertools.product(sorted(PROMPT_SIGNALS), ["deny", "harden"], ["", *WEAK])),
)
def test_words_alone_never_do_more_than_observe(signal: str, action: str, weak: str) -> None:
    """No condition without evidence lifts a prompt signal above observe, whatever other signals stand beside it."""
    for signals in (f'["{signal}"]', f'["sealed_replay", "{signal}"]'):
        when = f"signals = {signals}" + (f", {weak}" if weak else "")
        with pytest.raises(SourceError, match="on its own never does more than observe"):
            policy(rule(when=when, action=action))
        assert policy(rule(when=when)).rules[0].action is Action.OBSERVE


def test_words_beside_evidence_may_do_more() -> None:
    """A prompt signal together with a hint of review is a rule like any other."""
    held = policy(rule(when='signals = ["jailbreak"], hint = ["review", "act"]', action="hold"))
    assert held.rules[0].action is Action.HOLD
    assert policy(rule(when='signals = ["sealed_replay"]', action="hold")).signals == {"sealed_replay"}
    assert PROMPT_SIGNALS < set(SIGNALS)


@given(st.text(max_size=400))
def test_any_text_is_a_policy_or_an_error_with_a_line(text: str) -> None:
    """Nothing but SourceError comes out of a hostile file, wherever the text stands in it."""
    for whole in (text, HEAD + text, HEAD + rule(more=text), HEAD + rule(when=text)):
        try:
            parse_policy(whole, where="p.toml")
        except SourceError as error:
            assert str(error).startswith("p.toml:")


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([c.name for c in CONDITIONS]), inner),
    max_leaves=6,
))  # fmt: skip
def test_any_value_is_a_condition_or_an_error(value: object) -> None:
    """Whatever stands in `when`, `also` or the terms is read or refused."""

    def toml(v: object) -> str:
        if isinstance(v, bool):
            return str(v).lower()
        if isinstance(v, int):
            return str(v)
        if isinstance(v, list):
            return "[" + ", ".join(map(toml, v)) + "]"
        if isinstance(v, dict):
            return "{" + ", ".join(f"{k} = {toml(x)}" for k, x in v.items()) + "}"
        return '"' + "".join(c for c in str(v) if c.isalnum() and c.isascii()) + '"'

    for key in ("when", "also", "throttle", "harden", "mark", "say", "covert", "expires"):
        text = (
            HEAD
            + f'[[rule]]\nid = "a"\naction = "throttle"\nreason = "access_terms"\n{key} = {toml(value)}\n'
        )
        try:
            parse_policy(text + ("" if key == "when" else "when = { everyone = true }\n"), where="p.toml")
        except SourceError as error:
            assert str(error).startswith("p.toml:")
