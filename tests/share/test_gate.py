"""The outbound gate: what leaves, what is dropped and listed, what stops everything."""

from __future__ import annotations

import copy
import ipaddress
import random
import uuid
from typing import Any

import pytest

from stillwatch.records.sharing import Audience, Product, Screened, Tlp
from stillwatch.share import allow, extensions, marking, screen
from tests.report.factory import make_campaign
from tests.share.making import SENDER, objects, of_type, to_share

CANARIES = {
    "personal data": ("write to bob.smith@customer.example", "call +44 20 7946 0958", "card 4111 1111 1111 1111",
                      "b\u200bob@customer.example", "bob [at] example.com",
                      "bob(at)example[dot]com", "IBAN DE89 3704 0044 0532 0130 00"),
    "secret": ("key sk-proj-abcdefghijklmnop1234", "AKIAIOSFODNN7EXAMPLE", "-----BEGIN PRIVATE KEY-----",
               "Authorization: Bearer abcdefghijklmnop", "password = hunter2"),
    "prompt text": ("<|im_start|>system", "Human: write a poem", "You are a helpful assistant", '{"role": "user"}'),
    "address": ("relay at 203.0.113.9", "2001:db8::17 answered", "from 198.51.100.0/24", "at 198[.]51[.]100[.]7",
                "198(dot)51(dot)100(dot)7"),
    "digest": ("d41d8cd98f00b204e9800998ecf8427e", "sha256:abcd", "a" * 64),
    "antitrust: price": ("they paid $12 per seat", "our pricing differs", "15 USD each", "a discount was given",
                         "USD 15 per million", "EUR 200,000", "15 chf", "eur: 3"),
    "antitrust: customers": ("our largest customer does this too", "it hits revenue", "their market share grows"),
    "antitrust: plans": ("the unreleased model was hit", "we lack GPU capacity", "on the road map",
                         "we agreed to block them all", "next-generation weights"),
    "exact figure": ("24,137 accounts", "28.8 million exchanges", "16M requests", "\uff13\uff12\uff11 users",
                     "24,000 fraudulent accounts", "about 150,000 of the exchanges", "accounts: 24113",
                     "24,000 newly made fraudulent accounts", "150 000 of all their requests", "accounts (24113)",
                     "requests were about 16 million", "the tokens total 9e9", "24,000\n \n  accounts",
                     "300-odd accounts"),
    "computed id": ("see ad74bc22-8bd1-5c4c-a1a8-aa3c84870000",),
}  # fmt: skip
"""Texts that must not leave, by the rule that says so."""


HONEST = (
    "In 2026 the accounts moved on.", "On 3 March, 12 days after the notice, work went on through other accounts.",
    "Model 2.1 was asked; the keys came from resellers.", "Accounts: see the report of 2026-03-01.",
    "Euro 7 is a norm; the eurozone is not meant.", "The accounts are few (see below). At dawn it stopped.",
    "accounts: 2026-03-01 was the first day",
)  # fmt: skip
"""Texts that hold numbers and say nothing that must not leave."""


def screened(what: Any = None, **more: Any) -> Screened:
    """What the gate says of a campaign's objects."""
    what = what or to_share()
    return screen(objects(what), audience=what.audience, level=what.level, **more)


def changed(kind: str, **fields: Any) -> list[dict[str, Any]]:
    """Objects with fields of the last object of a type replaced."""
    stix = copy.deepcopy(objects())
    of_type(stix, kind)[-1].update(fields)
    return stix


def rules(stix: list[dict[str, Any]], level: Tlp = Tlp.AMBER, audience: Audience = Audience.LAB) -> set[str]:
    """Rules by which something is refused."""
    return {r.rule for r in screen(stix, audience=audience, level=level).refused}


@pytest.mark.parametrize(
    ("audience", "level", "product"),
    [
        (Audience.LAB, Tlp.AMBER, Product.TACTICS), (Audience.LAB, Tlp.RED, Product.ACTORS),
        (Audience.CLOUD, Tlp.AMBER, Product.TACTICS), (Audience.PUBLIC, Tlp.CLEAR, Product.TACTICS),
        (Audience.GOVERNMENT, Tlp.AMBER_STRICT, Product.ACTORS),
    ],
)  # fmt: skip
def test_only_what_is_on_the_audiences_list_leaves(audience, level, product) -> None:
    """Every path of every object is on it, whatever was put in; and an honest bundle is not refused."""
    found = screened(to_share(audience=audience, level=level, product=product, legal_basis="Agreement 3."))
    assert found.refused == ()
    for stix in found.objects:
        if stix["type"] != "marking-definition":
            assert set(paths(stix)) <= allow.fields(stix["type"], audience)
    ids = {o["id"] for o in found.objects}
    for stix in found.objects:
        assert {r for k, v in stix.items() if k.endswith(("_ref", "_refs")) and k != "object_marking_refs"
                for r in (v if isinstance(v, list) else [v])} <= ids  # fmt: skip


def paths(value: Any, path: str = "") -> list[str]:
    """Dotted paths of a value's leaves."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in paths(v, f"{path}.{k}" if path else k)]
    if isinstance(value, list):
        return [p for v in value for p in paths(v, path)]
    return [path]


def test_the_public_gets_no_indicator_and_no_time() -> None:
    """Each of them is listed as dropped, with the reason."""
    found = screened(to_share(audience=Audience.PUBLIC, level=Tlp.CLEAR))
    assert not of_type(found.objects, "indicator") + of_type(found.objects, "sighting")
    assert "first_seen" not in of_type(found.objects, "campaign")[0]
    listed = {(d.object_type, d.field) for d in found.dropped}
    assert {("indicator", ""), ("sighting", ""), ("campaign", "first_seen")} <= listed
    assert all(d.reason for d in found.dropped)


def test_a_cloud_gets_no_attribution() -> None:
    """Nor the relationship to it; only those who can test it do."""
    found = screened(to_share(audience=Audience.CLOUD, level=Tlp.RED, product=Product.ACTORS))
    kinds = [o["type"] for o in found.objects]
    assert "threat-actor" not in kinds
    assert "note" not in kinds
    assert any("does not leave" in d.reason for d in found.dropped)


@pytest.mark.parametrize(
    "field", ["x_customer", "labels", "external_references", "aliases", "extensions", "lang"]
)
def test_a_field_that_nobody_listed_stays(field) -> None:
    """Whatever it holds."""
    value = {"x": {"y": "z"}} if field == "extensions" else ["bob@customer.example"]
    found = screen(changed("campaign", **{field: value}), audience=Audience.LAB, level=Tlp.AMBER)
    assert found.refused == ()
    assert field not in of_type(found.objects, "campaign")[0]
    assert any(d.object_type == "campaign" and d.field.startswith(field) for d in found.dropped)


def test_a_type_that_nobody_listed_stays_whole() -> None:
    """An account, an address, a malware sample, something invented."""
    for kind in ("user-account", "ipv4-addr", "malware", "x-prompt", "observed-data"):
        stix = [*objects(), {"type": kind, "id": f"{kind}--{uuid.uuid4()}", "value": "x",
                             "object_marking_refs": [marking.IDS[Tlp.AMBER]]}]  # fmt: skip
        found = screen(stix, audience=Audience.GOVERNMENT, level=Tlp.AMBER)
        assert found.refused == ()
        assert not of_type(found.objects, kind)


@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, texts in CANARIES.items() for text in texts]
)
def test_a_leak_in_a_text_stops_everything(rule, text) -> None:
    """The rule and the place are told, and the text is not."""
    for kind, field in (("report", "description"), ("campaign", "name"), ("indicator", "description")):
        found = screen(
            changed(kind, **{field: f"Seen: {text} there."}), audience=Audience.LAB, level=Tlp.AMBER
        )
        assert (rule, f"{kind}.{field}") in {(r.rule, r.where) for r in found.refused}
        assert all(text not in f"{r.where}{r.reason}" for r in found.refused)


@pytest.mark.parametrize(
    "text",
    [
        "Accounts were bought in pools from resellers; work moved on when accounts were closed.",
        "Seen since 2026-10-01 at AML.T0024.002; version 1.2.3 of the client, at 3 pm.",
        "One template, asked in eight languages, with answers as records.", "Provider P sells access.",
        "The client calls itself relay/2.0 and hops on errors within a minute.",
    ],
)  # fmt: skip
def test_plain_technical_words_pass(text) -> None:
    """A gate that refuses everything is switched off."""
    assert rules(changed("report", description=text)) == set()


@pytest.mark.parametrize("text", HONEST)
def test_a_number_that_counts_nothing_leaves(text) -> None:
    """A date, a version, a norm."""
    assert not rules(changed("report", description=text))


def test_what_a_level_may_hold_is_asked_of_every_bundle() -> None:
    """Whoever built it: an attribution below amber+strict, something held closely to the public, clear to others."""
    actors = to_share(product=Product.ACTORS, level=Tlp.AMBER_STRICT)
    for level in (Tlp.GREEN, Tlp.AMBER):
        stix = copy.deepcopy(objects(actors))
        for one in stix:
            if one.get("object_marking_refs") == [marking.IDS[Tlp.AMBER_STRICT]]:
                one["object_marking_refs"] = [marking.IDS[level]]
        stix = [o for o in stix if o["type"] != "marking-definition"]
        told = {(r.rule, r.where) for r in screen(stix, audience=Audience.LAB, level=level).refused}
        assert {("marking", "threat-actor"), ("marking", "note")} <= told
    for audience, level in ((Audience.PUBLIC, Tlp.AMBER), (Audience.LAB, Tlp.CLEAR)):
        found = screen(objects(to_share(level=Tlp.AMBER)), audience=audience, level=level)
        assert "public is clear, and only public" in {r.reason for r in found.refused}


def test_names_of_accounts_and_customers_stop_it() -> None:
    """However they are written; not as a part of another word."""
    for text in ("seen with acct-ÄB17 too", "(ACCT-äb17)", "acct-\u200bäb17"):
        found = screen(
            changed("report", description=text), audience=Audience.LAB, level=Tlp.AMBER, private=["acct-äb17"]
        )
        assert {r.rule for r in found.refused} == {"private name"}
    assert not screened(private=["acct-17", "ab", "", "Collect"]).refused


def test_our_own_sentences_cannot_be_made_to_refuse() -> None:
    """An attacker who calls an account `campaign` stops nobody from sharing."""
    assert not screened(private=["campaign", "controller", "amber", "AML.T0024.002", "LLM", "2.1"]).refused


def test_a_quoted_prompt_stops_it() -> None:
    """Six words in a row, whatever case and marks."""
    prompt = "Please solve the following problem and show each and every step of your work in order."
    stix = changed("report", description="They ask: SOLVE, the following problem -- and show each time.")
    found = screen(stix, audience=Audience.LAB, level=Tlp.AMBER, prompts=[prompt])
    assert {r.rule for r in found.refused} == {"prompt text"}
    assert not screened(prompts=[prompt]).refused


@pytest.mark.parametrize("field", ["source_ref", "created_by_ref", "target_ref"])
def test_an_id_made_from_a_value_stops_it(field) -> None:
    """An address's id gives the address to whoever guesses it, even where the object itself stays."""
    computed = f"ipv4-addr--{uuid.uuid5(uuid.UUID('00abedb4-aa42-466c-9c01-fed23315a9b7'), '203.0.113.1')}"
    assert "computed id" in rules(changed("relationship", **{field: computed}))
    assert "computed id" in rules(changed("relationship", **{field: f"ipv4-addr--{uuid.uuid4()}"}))
    assert "computed id" in rules(changed("campaign", id=computed.replace("ipv4-addr", "campaign")))
    assert "computed id" in rules([*objects(), {"type": "x-any", "deep": [{"a": [computed]}]}])


def test_addresses_leave_at_amber_or_above() -> None:
    """In an indicator, never in a text, never below."""
    assert "personal data" in {r.rule for r in screened(to_share(level=Tlp.GREEN)).refused}
    assert not screened(to_share(level=Tlp.GREEN, observables=to_share().facts.observables[:1])).refused


@pytest.mark.parametrize(
    "text",
    ["[ipv4-addr:value LIKE '%']", "[ipv4-addr:value = '203.0.113.1'] OR [ipv4-addr:value = '203.0.113.2']",
     "[user-account:user_id = 'bob']", "[email-addr:value = 'bob@customer.example']", "x" * 300, "", "[a:b = 'c'",
     "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'a' OR x:y = 'b']"],
)  # fmt: skip
def test_a_pattern_that_we_did_not_make_stops_it(text) -> None:
    """Only the forms that `patterns` writes leave."""
    assert "pattern" in rules(changed("indicator", pattern=text))


@pytest.mark.parametrize(
    "fields",
    [
        {"object_marking_refs": [marking.IDS[Tlp.RED]]}, {"object_marking_refs": [marking.IDS[Tlp.GREEN]]},
        {"object_marking_refs": []}, {"object_marking_refs": [marking.IDS[Tlp.CLEAR]]},
        {"object_marking_refs": [marking.IDS[Tlp.AMBER], marking.IDS[Tlp.RED]]},
        {"granular_markings": [{"marking_ref": marking.IDS[Tlp.RED], "selectors": ["name"]}]},
        {"object_marking_refs": ["marking-definition--00000000-0000-4000-8000-000000000000"]},
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["campaign", "relationship", "report", "indicator", "identity"])
def test_a_marking_is_never_lowered_on_the_way(kind, fields) -> None:
    """By a new version, a relationship, a report around it, or a mark on a part."""
    assert "marking" in rules(changed(kind, **fields))


def test_a_false_marking_definition_stops_it() -> None:
    """One that has a right id and another meaning."""
    stix = copy.deepcopy(objects())
    of_type(stix, "marking-definition")[-1]["extensions"][marking.EXTENSION]["tlp_2_0"] = "clear"
    assert "marking" in rules(stix)


@pytest.mark.parametrize(
    ("field", "value"),
    [("account_bucket", "24137"), ("volume_bucket", "about 28 million"), ("auto_enforce", True),
     ("access_channels", ["first-party-api", "customer Bob"]), ("permitted_actions", "ban"),
     ("min_corroboration", 24137), ("targeted_capabilities", ["Bob's code"])],
)  # fmt: skip
def test_a_word_that_is_not_of_the_vocabulary_stops_it(field, value) -> None:
    """An exact figure in the place of a bucket, an order to ban."""
    stix = copy.deepcopy(objects())
    extended = of_type(stix, "campaign")[0]["extensions"]
    next(
        e
        for e in (extended[extensions.PROFILE], extended[extensions.POLICY])
        if field in e or field == "access_channels"
    )[field] = value
    assert rules(stix) & {"vocabulary", "exact figure", "format"}


def test_another_text_under_an_id_of_atlas_stops_it() -> None:
    """A technique says what ATLAS says."""
    assert rules(changed("attack-pattern", name="Chinese distillation")) == {"technique"}


def test_hostile_shapes_cost_nothing() -> None:
    """Deep nesting, lists of lists, wrong types, many objects: dropped or refused, never a failure."""
    deep: Any = "x"
    for _ in range(50_000):
        deep = [deep]
    shapes: tuple[Any, ...] = (deep, [[["x"]]], None, 3.5, {"a": {"b": {}}}, {})
    for value in shapes:
        found = screen(
            changed("campaign", description=value, name=value), audience=Audience.LAB, level=Tlp.AMBER
        )
        assert not of_type(found.objects, "campaign")
    assert rules(changed("report", description="a" * 10_000)) == {"size"}
    assert {r.rule for r in screen([{}] * 20_001, audience=Audience.LAB, level=Tlp.AMBER).refused} == {"size"}
    assert (
        screen([{}, {"type": 7}, {"type": "campaign"}], audience=Audience.LAB, level=Tlp.AMBER).objects == ()
    )


def test_canaries_in_a_thousand_bundles_never_leave() -> None:
    """Anywhere in any object: what leaves holds none of them, and where one was in a text that leaves, nothing does."""
    rng = random.Random(20261129)
    texts = [
        t for rule in ("personal data", "secret", "address", "digest", "prompt text") for t in CANARIES[rule]
    ]
    base, refused = objects(to_share(observables=to_share().facts.observables[:1])), 0
    for _ in range(1000):
        stix = copy.deepcopy(base)
        target, canary = rng.choice(stix), rng.choice(texts)
        if rng.random() < 0.3:
            canary = f"{ipaddress.IPv4Address(rng.getrandbits(32))}"
        field = rng.choice([*[k for k in target if isinstance(target[k], str)], "x_note", "labels", "notes"])
        target[field] = canary
        found = screen(stix, audience=Audience.LAB, level=Tlp.AMBER)
        refused += bool(found.refused)
        assert found.refused or canary not in str(found.objects), (field, canary)
    assert 200 < refused < 1000


def test_a_campaign_of_hostile_names_leaves_as_words_only() -> None:
    """Capabilities and traits come from files; what is no name of one is refused."""
    for name in ("<script>", "acct bob", "a" * 65, "bob@customer.example"):
        found = screened(to_share(make_campaign(capabilities=(name,))))
        assert {r.rule for r in found.refused} == {"format"}


def test_the_senders_name_is_read_like_every_text() -> None:
    """It is a person's input too."""
    stix = changed("identity", name="Bob, bob@lab.example")
    assert rules(stix) == {"personal data"}
    assert of_type(stix, "identity")[-1]["id"] == SENDER.identity
