"""Bundles: a campaign as STIX that other people's programs read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import jsonschema
import pytest
import stix2
from stix2validator import ValidationOptions, validate_instance

from stillwatch.errors import ConfigError
from stillwatch.records import Confidence, Kind
from stillwatch.records.sharing import Audience, Observable, Product, Tlp
from stillwatch.share import atlas, build, extensions, in_bundle, marking, screen
from stillwatch.share.patterns import pattern
from tests.report.factory import HOSTILE, make_campaign
from tests.share.making import NOW, SENDER, ids, objects, of_type, to_share

GOLDEN = Path(__file__).parent / "golden" / "aml-cs0056.json"
EVERY = [
    to_share(),
    to_share(audience=Audience.CLOUD, level=Tlp.AMBER_STRICT),
    to_share(audience=Audience.GOVERNMENT, product=Product.ACTORS, level=Tlp.RED),
    to_share(audience=Audience.PUBLIC, level=Tlp.CLEAR, summary="Accounts were sold in pools."),
    to_share(level=Tlp.GREEN, observables=(), access_channels=("reseller",), model_families=("aurora",)),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("what", EVERY, ids=lambda w: f"{w.audience}-{w.level.label}")
def test_every_bundle_is_valid_for_the_standards_own_validator(what) -> None:
    """Before the gate and after it; what it warns of is our own fingerprint property, and MITRE's own ids."""
    built = objects(what)
    for stix in (built, list(screen(built, audience=what.audience, level=what.level).objects)):
        found = validate_instance(
            in_bundle(stix, UUID(int=1, version=4)), ValidationOptions(version="2.1", strict=False)
        )
        assert [str(e) for e in found.errors] == []


@pytest.mark.parametrize("what", EVERY, ids=lambda w: f"{w.audience}-{w.level.label}")
def test_every_bundle_survives_another_librarys_parser(what) -> None:
    """Nothing of it is lost or changed on the way."""
    stix = in_bundle(objects(what), UUID(int=1, version=4))
    parsed = stix2.parse(json.dumps(stix), allow_custom=True)
    again = {o["id"]: o for o in json.loads(parsed.serialize())["objects"]}
    assert len(again) == len(stix["objects"])
    for one in stix["objects"]:
        if one["type"] != "marking-definition":
            assert short(again[one["id"]]) == short(one)


def short(stix: dict) -> dict:
    """Times without milliseconds that are zero: both are the same time."""
    return {k: v.replace(".000Z", "Z") if isinstance(v, str) else v for k, v in stix.items()}


def test_extensions_fit_their_published_schemas() -> None:
    """Both, on every object that carries them; their reserved name endings are not used."""
    seen = set()
    for what in EVERY:
        for stix in objects(what):
            for name, value in stix.get("extensions", {}).items():
                if name in (extensions.PROFILE, extensions.POLICY):
                    jsonschema.validate(value, extensions.schema(name))
                    assert not [k for k in value if k.endswith(("_bin", "_hex", "_ref", "_refs"))]
                    seen.add(name)
    assert seen == {extensions.PROFILE, extensions.POLICY}


def test_an_exact_count_does_not_fit_the_schema() -> None:
    """The schema itself leaves no place for it."""
    good = next(iter(of_type(objects(), "campaign")[0]["extensions"].values()))
    for bad in ({**good, "volume_bucket": "28800000"}, {**good, "price_usd": 3}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, extensions.schema(extensions.PROFILE))


def test_the_case_study_of_atlas_is_what_the_golden_file_says() -> None:
    """`python -m tests.share.golden_cs0056` writes it; its words are ours, its chain is ATLAS's."""
    from tests.share.golden_cs0056 import made

    assert json.loads(GOLDEN.read_text("utf-8")) == made()
    told = {o["external_references"][0]["external_id"] for o in of_type(made()["objects"], "attack-pattern")}
    assert told == set(atlas.case_study("AML.CS0056")[1])


def test_ids_of_atlas_are_those_of_the_release_that_ships() -> None:
    """Names and STIX ids as that release has them; what it does not have is refused, however often it is quoted."""
    assert atlas.source()["release"] == "5.6.1"
    for number, name in (
        ("AML.T0008.005", "AI Service Proxies"), ("AML.T0024.002", "Extract AI Model"),
        ("AML.T0040", "AI Model Inference API Access"), ("AML.T0065", "LLM Prompt Crafting"),
        ("AML.T0048.004", "AI Intellectual Property Theft"),
    ):  # fmt: skip
        assert atlas.entry(number, atlas.TECHNIQUE).name == name
    assert atlas.entry("AML.T0024.002", atlas.TECHNIQUE).stix_id.endswith(
        "3f567912-629a-5e0b-ab0c-0102977c2d6c"
    )
    for wrong in ("AML.T0024.003", "AML.M0004", "AML.T9999", ""):
        with pytest.raises(ConfigError, match=r"is no technique of ATLAS 5\.6\.1"):
            objects(to_share(techniques=(wrong,)))


def test_techniques_that_a_scan_names_are_known_to_atlas() -> None:
    """All that a verdict can hold, and the words of the report agree with ATLAS's names."""
    from stillwatch.report.words import TECHNIQUE_NAMES

    for number, name in TECHNIQUE_NAMES.items():
        if ".CS" not in number:
            assert atlas.entry(number, atlas.TECHNIQUE).name == name


def test_markings_are_the_published_ones() -> None:
    """Five ids, pinned: wrong ones circulate."""
    assert {level.label: marking.IDS[level] for level in Tlp} == {
        "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
        "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
        "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
        "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
        "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
    }
    assert marking.definition(Tlp.RED)["extensions"] == {
        "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {
            "extension_type": "property-extension", "tlp_2_0": "red",
        }
    }  # fmt: skip
    old = stix2.TLP_WHITE, stix2.TLP_GREEN, stix2.TLP_AMBER, stix2.TLP_RED
    assert [marking.ALIASES[m.id].label for m in old] == ["clear", "green", "amber+strict", "red"]


@pytest.mark.parametrize(
    "stix",
    [
        {}, {"object_marking_refs": []}, {"object_marking_refs": "marking-definition--94868c89"},
        {"object_marking_refs": ["marking-definition--00000000-0000-4000-8000-000000000000"]},
        {"object_marking_refs": [marking.IDS[Tlp.CLEAR], "marking-definition--00000000-0000-4000-8000-000000000000"]},
        {"object_marking_refs": [marking.IDS[Tlp.CLEAR], 7]},
        {"object_marking_refs": [marking.IDS[Tlp.CLEAR]], "granular_markings": [{"selectors": ["name"]}]},
    ],
)  # fmt: skip
def test_an_unknown_marking_is_red(stix) -> None:
    """Missing, empty, malformed, unknown, unknown beside a known one, or on a part."""
    assert marking.level_of(stix) is Tlp.RED


def test_several_markings_mean_the_closest_held() -> None:
    """Never the first, never the mildest."""
    assert (
        marking.level_of({"object_marking_refs": [marking.IDS[Tlp.GREEN], marking.IDS[Tlp.AMBER]]})
        is Tlp.AMBER
    )


def test_a_label_that_is_none_is_refused() -> None:
    """Each label names its level; nothing else does."""
    assert [Tlp.of(level.label) for level in Tlp] == list(Tlp)
    for wrong in ("white", "", "amber strict", "AMBER_STRICT"):
        with pytest.raises(ValueError, match=rf"^{wrong}$"):
            Tlp.of(wrong)


def test_no_count_account_digest_or_prompt_is_in_it() -> None:
    """Every string and number of the campaign's record that could single a customer out stays away."""
    campaign = make_campaign(exemplars=("Write out every step, then the answer, as JSON.",))
    text = json.dumps(objects(to_share(campaign)))
    for secret in (
        str(campaign.exchange_count), str(campaign.output_tokens), campaign.explanation, campaign.campaign_id,
        *(e.value for e in campaign.evidence), *(edge[0] for edge in campaign.edges), *campaign.exemplars,
        *(model for model, _ in campaign.models), "00:07:00",
    ):  # fmt: skip
        assert secret not in text


def test_a_newer_version_keeps_its_ids_and_first_times() -> None:
    """So that a reader replaces what they have; what is new gets ids of its own."""
    first = objects()
    later = NOW + timedelta(days=3)
    more = (*to_share().facts.observables, Observable("asn", "64501", "Also.", later + timedelta(days=9)))
    second = build(to_share(observables=more), now=later, ids=ids(later, first, start=1000))
    before = {o["id"]: o for o in first}
    kept = [o for o in second if o["id"] in before]
    assert len(kept) == len(first)
    assert all(o["created"] == before[o["id"]]["created"] for o in kept)
    assert all(
        o["modified"] > before[o["id"]]["modified"]
        for o in kept
        if o.get("created_by_ref") == SENDER.identity
    )
    assert sorted(o["type"] for o in second if o["id"] not in before) == ["indicator", "relationship"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"campaign": make_campaign(granted=True)}, "has a grant"),
        ({"campaign": make_campaign(kind=Kind.POOL)}, "is a pool, use unknown"),
        ({"audience": Audience.PUBLIC}, "do not fit"),
        ({"level": Tlp.CLEAR}, "do not fit"),
        ({"attribution": {"level": "organisation"}}, "a product on tactics names nobody"),
        ({"product": Product.ACTORS, "attribution": None, "level": Tlp.RED}, "needs a person's attribution"),
        ({"product": Product.ACTORS, "level": Tlp.AMBER}, "held at amber"),
        ({"product": Product.ACTORS, "level": Tlp.RED, "attribution": {"level": "named_persons"}}, "never named"),
    ],
)  # fmt: skip
def test_what_may_not_be_shared_is_refused(changes, why) -> None:
    """Before anything is made."""
    with pytest.raises(ConfigError, match=why):
        objects(to_share(**changes))


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(days=1), NOW + timedelta(days=401)])
def test_an_indicator_ends(until) -> None:
    """In the future, and not for ever."""
    with pytest.raises(ConfigError, match="indicator 1: valid_until"):
        objects(to_share(observables=(Observable("asn", "64500", "x", until),)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ipv4", "203.0.112.0/20"), ("ipv4", "10.0.0.1"), ("ipv4", "127.0.0.1"), ("ipv4", "203.0.113.1/24"),
        ("ipv4", "1.2.3.4' OR '1'='1"), ("ipv6", "2001:db8::/32"), ("ipv6", "::1"), ("asn", "AS0"),
        ("asn", "4294967296"),
        ("asn", "64500 OR 1"), ("domain", "a'b.example"), ("domain", "localhost"), ("domain", "x" * 64 + ".example"),
        ("ja4", "t13d1516h2"), ("user_agent", "a\nb567890"), ("user_agent", "short"), ("url", "https://a.example"),
        *(("domain", text) for text in HOSTILE), *(("asn", text) for text in HOSTILE),
    ],
)  # fmt: skip
def test_a_value_that_is_not_of_its_kind_makes_no_pattern(kind, value) -> None:
    """Too wide, private, malformed, hostile; the value is not quoted back."""
    with pytest.raises(ConfigError) as told:
        pattern(kind, value)
    assert len(value) < 9 or value not in str(told.value)


def test_confidence_words_map_to_stix() -> None:
    """Three words of the standard's own scale; an observable is never more than a low lead."""
    for word, number in ((Confidence.LOW, 15), (Confidence.MEDIUM, 50), (Confidence.HIGH, 85)):
        built = objects(to_share(replace(make_campaign(), confidence=word)))
        assert of_type(built, "campaign")[0]["confidence"] == number
        assert {o["confidence"] for o in of_type(built, "indicator")} == {15}


def test_an_attribution_is_a_note_with_its_alternatives() -> None:
    """Words of likelihood, facts with sources, what speaks against it; the name of whoever signed stays at home."""
    built = objects(to_share(product=Product.ACTORS, level=Tlp.AMBER_STRICT))
    note = of_type(built, "note")[0]
    for part in (
        "likely (55 to 80 percent)",
        "Source: exhibit 12",
        "Against: one offer only",
        "Not all accounts",
    ):
        assert part in note["content"]
    assert "Lindqvist" not in json.dumps(built)
    assert note["object_refs"][0] == of_type(built, "threat-actor")[0]["id"]
    assert not of_type(objects(), "threat-actor") + of_type(objects(), "note")


def test_times_are_days() -> None:
    """First and last sight leave to the day."""
    seen = of_type(objects(), "campaign")[0]
    assert datetime.fromisoformat(seen["first_seen"]) == datetime(2026, 10, 1, tzinfo=UTC)


def test_the_sender_is_the_same_object_on_another_day() -> None:
    """Known by its id from what was shared before, whatever it is called now; another sender is a new one."""
    first = next(o for o in objects() if o["id"] == SENDER.identity)
    later = NOW + timedelta(days=2)

    def again(**changed: str) -> dict:
        sender = replace(SENDER, **changed)
        made = build(to_share(sender=sender), now=later, ids=ids(later, objects(), 900))
        return next(o for o in made if o["id"] == sender.identity)

    for renamed in (again(), again(name="Member 8")):
        assert (renamed["id"], renamed["created"]) == (first["id"], first["created"])
        assert renamed["modified"] > first["modified"]
    other = again(identity="identity--3b1f0c62-6a0e-4c0b-9d55-0d5a2f6f7a02")
    assert other["created"] > first["created"]
