"""Sharing as a user meets it: preview, draft, release by one person and by two, and what stops it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.records import Kind
from stillwatch.report import write_result
from tests.report.factory import make_accounts, make_campaign, make_members, make_result
from tests.share.making import SENDER

FACTS = f"""
summary = "Access was bought in pools from resellers."
private = ["Example Customer Ltd"]
[sender]
name = "Member 7"
identity = "{SENDER.identity}"
appeal_url = "https://lab.example/appeals"
[[indicator]]
kind = "asn"
value = "AS64500"
ground = "Exits lie here."
valid_until = 2027-01-10T00:00:00Z
[attribution]
level = "account_network_provider"
party = "Provider P"
statement = "The accounts were sold by a provider of account networks."
likelihood = "likely"
confidence = "moderate"
signed_by = "C. Lindqvist"
facts = [{{ kind = "offer_of_sale", fact = "Accounts were offered", source = "exhibit 12" }}]
hypotheses = [
  {{ claim = "a provider", for = "the offer", against = "one offer only" }},
  {{ claim = "one company with many seats", for = "one client", against = "no declared organisation" }},
]
"""
WHAT = ("report", "--campaign", "C-1", "--facts", "share.toml", "--audience")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small run and the facts, which the commands run in."""
    campaign = make_campaign("C-1", 6, days=2)
    pool = make_campaign("P-1", 6, kind=Kind.POOL, days=2)
    members = make_members(campaign)
    result = replace(
        make_result(hostile=False), campaigns=(campaign, pool), members=members, findings=(), abstentions=(),
        accounts=make_accounts(members, 3),
    )  # fmt: skip
    write_result(result, tmp_path / "report", (), "<p>page</p>")
    (tmp_path / "share.toml").write_text(FACTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_preview_shows_what_leaves_and_what_does_not(run, place) -> None:
    """Every field, what is dropped; nothing is written."""
    before = sorted(place.rglob("*"))
    told = run("share", "preview", *WHAT, "public")
    assert told.exit_code == 0, told.stderr
    assert "to public at TLP:CLEAR, tactics: one person releases it" in told.stdout
    assert "indicator: not for the audience public" in told.stdout
    assert "description: Access was bought" not in told.stdout.split("report\n")[0]
    assert "Lindqvist" not in told.stdout
    found = json.loads(run("share", "preview", *WHAT, "lab", "--json").stdout)
    assert {o["type"] for o in found["objects"]} >= {"campaign", "indicator", "sighting", "report"}
    assert found["refused"] == []
    assert sorted(place.rglob("*")) == before


def test_a_leak_stops_preview_and_draft_without_being_repeated(run, place) -> None:
    """The place and the rule are told; no draft appears."""
    member = make_members(make_campaign("C-1", 6, days=2))[0].account_id
    for text in (
        "write to bob@customer.example",
        "Example Customer Ltd did it",
        f"see {member}",
        "24,137 accounts",
    ):
        (place / "share.toml").write_text(FACTS.replace("Access was bought in pools from resellers.", text))
        told = run("share", "preview", *WHAT, "lab")
        assert told.exit_code == 2
        assert "report.description: " in told.stdout.split("refused;")[1]
        told = run("share", "draft", *WHAT, "lab", "-o", "draft")
        assert told.exit_code == 2
        assert "error: nothing leaves: report.description" in told.stderr
        assert text not in told.stderr + told.stdout
        assert not (place / "draft").exists()


def test_one_person_releases_amber(run, place) -> None:
    """Draft, key, release, check; with a log it becomes a leaf; released bytes are not changed unseen."""
    assert run("share", "draft", *WHAT, "lab", "-o", "draft").exit_code == 0
    told = run("share", "release", "draft")
    assert told.exit_code == 2
    assert "hint: make one: stillwatch evidence key new NAME --role acquirer" in told.stderr
    assert "1 people must release this" in run("share", "check", "draft").stderr
    run("evidence", "key", "new", "Ada", "--role", "acquirer")
    run("evidence", "key", "new", "Desk", "--role", "log")
    told = run("share", "release", "draft", "--json")
    assert (json.loads(told.stdout)["released"], json.loads(told.stdout)["leaf"] is not None) == (True, True)
    assert "released by Ada to lab at TLP:AMBER" in run("share", "check", "draft").stdout
    assert json.loads((place / "draft/misp.json").read_text())["Event"]["info"].startswith("LLM distillation")
    assert json.loads(run("share", "release", "draft", "--json").stdout)["signed_by"] == ["Ada"]
    bundle = (place / "draft/bundle.json").read_text()
    (place / "draft/bundle.json").write_text(bundle.replace("Exits lie here.", "Exits lie there."))
    assert "error: the bundle was changed since it was drafted" in run("share", "check", "draft").stderr


def test_two_people_release_an_attribution(run, place) -> None:
    """The first signature releases nothing, nor does the same person's second; lowering the form releases nothing."""
    made = run("share", "draft", *WHAT, "lab", "--product", "actors", "-o", "draft", "--json")
    assert json.loads(made.stdout)["people_needed"] == 2
    assert json.loads(made.stdout)["tlp"] == "amber+strict"
    run("evidence", "key", "new", "Ada", "--role", "acquirer")
    assert "not released yet: a second person" in run("share", "release", "draft").stdout
    run("evidence", "key", "new", "ADA ", "--role", "reviewer")
    assert "has signed this already" in run("share", "release", "draft").stderr
    form = place / "draft/release.json"
    kept = form.read_text()
    form.write_text(kept.replace('"people_needed": 2', '"people_needed": 1'))
    assert "asks for too few people" in run("share", "check", "draft").stderr
    form.write_text(kept.replace('"level": "amber+strict"', '"level": "amber"'))
    assert run("share", "check", "draft").exit_code == 2
    form.write_text(kept.replace("Ada", "Ben"))
    assert "no key of 'Ben'" in run("share", "check", "draft").stderr
    form.write_text(kept)
    run("evidence", "key", "new", "Ben", "--role", "reviewer")
    told = run("share", "release", "draft", "--signer", "Ben")
    assert "released to lab at TLP:AMBER+STRICT" in told.stdout, told.stderr
    assert "released by Ada and Ben" in run("share", "check", "draft").stdout
    rows = json.loads(form.read_text())
    rows["approvals"][1]["signature"] = rows["approvals"][0]["signature"]
    form.write_text(json.dumps(rows))
    assert "the signature on the release is wrong" in run("share", "check", "draft").stderr


@pytest.mark.parametrize("change", [
    {"spec_version": "2.1"}, {"x_note": "Example Customer Ltd"}, {"type": "report"}, {"id": "bundle--1"}, {"id": 7},
    {"id": "bundle--3b1f0c62-6a0e-5c0b-9d55-0d5a2f6f7a01"},
])  # fmt: skip
def test_a_bundle_says_nothing_beside_its_objects(run, place, change) -> None:
    """Though bundle and form were changed to fit: the gate reads objects, so nothing else may stand there."""
    from stillwatch.share.release import digest

    run("share", "draft", *WHAT, "lab", "-o", "draft")
    run("evidence", "key", "new", "Ada", "--role", "acquirer")
    bundle = json.loads((place / "draft/bundle.json").read_text()) | change
    (place / "draft/bundle.json").write_text(json.dumps(bundle))
    form = json.loads((place / "draft/release.json").read_text()) | {"bundle_sha256": digest(bundle)}
    (place / "draft/release.json").write_text(json.dumps(form))
    told = run("share", "release", "draft")
    assert (told.exit_code, "says more than its objects, or is none" in told.stderr) == (2, True), told.stderr


def test_a_revoked_key_releases_nothing(run, place) -> None:
    """Whatever time the form gives, which nobody signs."""
    run("share", "draft", *WHAT, "lab", "-o", "draft")
    made = json.loads(run("evidence", "key", "new", "Ada", "--role", "acquirer", "--json").stdout)
    assert json.loads(run("share", "release", "draft", "--json").stdout)["released"]
    form = place / "draft/release.json"
    rows = json.loads(form.read_text())
    rows["approvals"][0]["at"] = "2000-01-01T00:00:00+00:00"
    form.write_text(json.dumps(rows))
    assert run("share", "check", "draft").exit_code == 0
    run("evidence", "key", "revoke", made["key_id"])
    assert "the key of Ada was revoked" in run("share", "check", "draft").stderr


def test_only_an_acquirer_and_a_reviewer_release(run, place) -> None:
    """Not the key of the log, and not two acquirers where two people are needed."""
    import base64
    from dataclasses import asdict

    from stillwatch.evidence.keys import SigningKey
    from stillwatch.records.sharing import Approval
    from stillwatch.share import to_sign
    from stillwatch.wiring.sharing import _read_form

    form = place / "draft/release.json"
    keys = {}
    for person, role in (("Ada", "acquirer"), ("Ben", "acquirer"), ("Cem", "reviewer"), ("Desk", "log")):
        made = json.loads(run("evidence", "key", "new", person, "--role", role, "--json").stdout)
        keys[person] = made["key_id"], SigningKey.from_pem(Path(made["private"]).read_bytes())

    def signed(*people: str) -> str:
        release = _read_form(form)
        rows = json.loads(form.read_text())
        rows["approvals"] = [
            asdict(Approval(p, keys[p][0], base64.b64encode(keys[p][1].sign(to_sign(release))).decode(), "x"))
            for p in people
        ]
        form.write_text(json.dumps(rows))
        return run("share", "check", "draft").stderr

    run("share", "draft", *WHAT, "lab", "--product", "actors", "-o", "draft")
    assert "an acquirer and a reviewer must release this" in signed("Ada", "Ben")
    assert "releases nothing: its role is log" in signed("Ada", "Desk")
    assert signed("Ada", "Cem") == ""
    signed("Cem")
    assert "released to lab" in run("share", "release", "draft", "--signer", "Ada").stdout
    assert run("share", "check", "draft").exit_code == 0


def test_a_release_is_logged_before_it_is_signed(run, place) -> None:
    """A log that cannot be written leaves a draft that nobody has released."""
    run("share", "draft", *WHAT, "lab", "-o", "draft")
    run("evidence", "key", "new", "Ada", "--role", "acquirer")
    made = json.loads(run("evidence", "key", "new", "Desk", "--role", "log", "--json").stdout)
    Path(made["private"]).rename(place / "away.pem")
    assert run("share", "release", "draft").exit_code == 2
    assert "1 people must release this" in run("share", "check", "draft").stderr
    (place / "away.pem").rename(made["private"])
    assert json.loads(run("share", "release", "draft", "--json").stdout)["leaf"] is not None


def test_a_newer_version_keeps_ids(run, place) -> None:
    """What was shared before is named, as a folder or a file."""
    run("share", "draft", *WHAT, "lab", "-o", "one")
    told = run("share", "draft", *WHAT, "lab", "-o", "two", "--previous", "one")
    assert told.exit_code == 0, told.stderr
    first, second = (json.loads((place / n / "bundle.json").read_text())["objects"] for n in ("one", "two"))
    assert [o["id"] for o in first] == [o["id"] for o in second]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("identity--3b1f0c62-6a0e-4c0b", "identity--3b1f0c62-6a0e-5c0b"), "hint: a fresh one, to be kept for ever"),
        (('name = "Member 7"', 'name = " "'), "sender.name: say who shares"),
        (("https://lab", "http://lab"), "appeal_url: an https address"),
        (("2027-01-10T00:00:00Z", "2027-01-10T00:00:00"), "indicator 1: valid_until: give a time with its zone"),
        (("summary =", "sumary ="), "sumary: no such key"), (("AS64500", "AS0"), "indicator 1: not usable as asn"),
        (('private = ["Example Customer Ltd"]', "private = 3"), "private: give a list of texts"),
        (("[[indicator]]", "[indicator]"), "indicator: write it as [[indicator]]"),
        (("summary", "= ="), "share.toml: "),
    ],
)  # fmt: skip
def test_a_slip_in_the_facts_is_told_with_its_place(run, place, change, told) -> None:
    """And with what to do."""
    (place / "share.toml").write_text(FACTS.replace(*change))
    found = run("share", "preview", *WHAT, "lab")
    assert found.exit_code == 2
    assert told in found.stderr


def test_other_slips_are_told(run, place) -> None:
    """A pool, an unknown campaign, a marking that does not fit, files that are no draft."""
    for args, told in (
        (("preview", "report", "--campaign", "P-1", *WHAT[3:], "lab"), "is a pool, use unknown"),
        (("preview", "report", "--campaign", "X", *WHAT[3:], "lab"), "it has C-1, P-1"),
        (("preview", *WHAT, "public", "--tlp", "amber"), "do not fit"),
        (("preview", *WHAT, "lab", "--previous", "share.toml"), "cannot be read"),
        (("check", "report"), "cannot be read"), (("draft", *WHAT, "lab", "-o", "report"), "exists already"),
    ):  # fmt: skip
        found = run("share", *args)
        assert (found.exit_code, told in found.stderr) == (2, True), found.stderr
