"""Release: who has to sign, and the MISP event made from the same objects."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pymisp import MISPEvent

from stillwatch.errors import VerificationError
from stillwatch.records.sharing import Approval, Audience, Product, Release, Tlp
from stillwatch.share import check_release, people_needed, screen, to_misp, to_sign
from stillwatch.share.misp import DISTRIBUTION
from tests.share.making import objects, to_share

ADA, BEN = Approval("Ada", "k1", "", ""), Approval("Ben", "k2", "", "")


def release(level: Tlp, *approvals: Approval, needed: int = 1) -> Release:
    """A release with approvals."""
    return Release("0" * 64, Audience.LAB, Product.TACTICS, level, needed, approvals)


def test_two_people_release_above_amber_and_any_attribution() -> None:
    """One suffices for anything else."""
    tactics = objects()
    actors = objects(to_share(product=Product.ACTORS, level=Tlp.AMBER_STRICT))
    needed = {level: people_needed(tactics, level) for level in Tlp}
    assert needed == {Tlp.CLEAR: 1, Tlp.GREEN: 1, Tlp.AMBER: 1, Tlp.AMBER_STRICT: 2, Tlp.RED: 2}
    assert people_needed(actors, Tlp.GREEN) == 2


@pytest.mark.parametrize(
    "approvals",
    [(), (ADA,), (ADA, ADA), (ADA, replace(BEN, person=" ada ")), (ADA, replace(BEN, key_id="k1"))],
)
def test_one_person_or_one_key_is_never_two(approvals) -> None:
    """The same person with two keys, one key under two names, a file that says one is enough."""
    with pytest.raises(VerificationError, match="2 people must release this"):
        check_release(release(Tlp.RED, *approvals), [])


def test_enough_people_release_it() -> None:
    """Two where two are needed, one where one is."""
    check_release(release(Tlp.RED, ADA, BEN, needed=2), [])
    check_release(release(Tlp.AMBER, ADA), objects())
    with pytest.raises(VerificationError):
        check_release(release(Tlp.AMBER, ADA), objects(to_share(product=Product.ACTORS, level=Tlp.RED)))


def test_a_signature_is_for_one_level_one_audience_and_one_bundle() -> None:
    """Each changes what is signed; who signed before does not."""
    one = release(Tlp.RED, needed=2)
    others = [
        replace(one, level=Tlp.GREEN), replace(one, audience=Audience.PUBLIC), replace(one, bundle_sha256="1" * 64),
        replace(one, people_needed=1), replace(one, product=Product.ACTORS),
    ]  # fmt: skip
    assert len({to_sign(r) for r in (one, *others)}) == 6
    assert to_sign(replace(one, approvals=(ADA,))) == to_sign(one)


@pytest.mark.parametrize("level", list(Tlp))
def test_a_misp_event_is_read_by_misps_own_library_and_never_spreads_further(level) -> None:
    """Nothing asks to be blocked, every value is there as it is, the marking is a tag."""
    public = level is Tlp.CLEAR
    what = to_share(audience=Audience.PUBLIC if public else Audience.LAB, level=level)
    stix = screen(objects(what), audience=what.audience, level=level).objects
    event = MISPEvent()
    event.from_dict(**json.loads(json.dumps(to_misp(stix, level)))["Event"])
    assert [t.name for t in event.tags if t.name.startswith("tlp:")] == [f"tlp:{level.label}"]
    assert not any(a.to_ids for a in event.attributes)
    assert len({a.uuid for a in event.attributes}) == len(event.attributes)
    if not public:
        values = {(a.type, a.value) for a in event.attributes}
        assert {("AS", "64500"), ("ip-src", "203.0.113.16/28"), ("domain", "relay.example")} <= values
        assert ("user-agent", "it's-a-relay/1.0 \\ x") in values
    assert (str(event.distribution), DISTRIBUTION[level]) == (DISTRIBUTION[level],) * 2
    assert DISTRIBUTION[level] == "0" or level < Tlp.AMBER


def test_a_misp_event_of_actors_holds_the_note() -> None:
    """A person's judgement goes with its alternatives or not at all."""
    stix = screen(
        objects(to_share(product=Product.ACTORS, level=Tlp.RED)), audience=Audience.LAB, level=Tlp.RED
    ).objects
    event = to_misp(stix, Tlp.RED)["Event"]
    assert [a["value"] for a in event["Attribute"] if a["type"] == "threat-actor"] == ["Provider P"]
    assert any("Against: one offer only" in a["value"] for a in event["Attribute"])
