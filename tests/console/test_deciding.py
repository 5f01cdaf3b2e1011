"""Plans, appeals, grants, exemplars and the policy, on their pages."""

from __future__ import annotations

import re
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from stillwatch.console.app import make_app
from stillwatch.console.lookups import cases_by_campaign
from stillwatch.console.site import Site
from stillwatch.protect.decide import decide
from stillwatch.protect.ledger import entry
from stillwatch.protect.policy import parse_policy
from stillwatch.records import Facts, Request
from stillwatch.respond import audit
from stillwatch.respond import tables as t
from stillwatch.respond.appeals import MOST_BYTES, MOST_DOCUMENTS
from stillwatch.respond.work import added
from stillwatch.settings import Settings
from stillwatch.wiring import check_policy, show_policy
from stillwatch.wiring.gate_folder import DecisionLog, read_switches
from stillwatch.wiring.takedown import run_plan
from tests.console.conftest import SAME, House, Visitor, with_console
from tests.console.test_pages import quiet
from tests.report.factory import HOSTILE


def token(house: House, visitor: Visitor) -> dict[str, str]:
    return {"csrf": house.csrf(visitor)}


@pytest.fixture
def filed(house: House) -> str:
    """The case of the largest campaign, its run filed by an analyst."""
    ana = house.visitor("ana")
    assert ana.post("/file", token(house, ana)).status_code == 303
    rows = house.program("ana").get("/api/v1/cases?limit=100").json()["rows"]
    return str(max((r for r in rows if r["kind"] == "campaign"), key=lambda r: r["account_count"])["id"])


def test_every_campaign_of_a_run_finds_its_case(house: House, filed: str) -> None:
    """Also in a run of more campaigns than one question to the store may name."""
    with house.site.desk.look(house.someone("ana").person) as work:
        found = cases_by_campaign(work, [*(f"0-{n}" for n in range(40_000)), *house.site.run.campaigns])
    assert set(found) == set(house.site.run.campaigns)
    assert filed in {case.id for case in found.values()}


def finished(house: House, plan: str) -> dict[str, Any]:
    """The plan once nothing of it is under way here."""
    for _ in range(600):
        told: dict[str, Any] = house.program("pia").get(f"/api/v1/plans/{plan}").json()
        if told["stopped"] is None and told["plan"]["state"] not in ("running", "undoing"):
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def test_a_dry_run_is_made_run_and_taken_back_on_its_pages(house: House, filed: str) -> None:
    """Each step stands on the plan's page and on the case's timeline; a viewer may do none of it."""
    ana, pia, vera = house.visitor("ana"), house.visitor("pia"), house.visitor("vera")
    page = ana.get(f"/cases/{filed}/plan")
    assert "Innocent among them" in page.text
    told = {"measure": "block", "executor": "dry-run", "reason": "campaign_member", "notices": "yes"}
    assert vera.post(f"/cases/{filed}/plan", token(house, vera) | told).status_code == 403
    made = ana.post(f"/cases/{filed}/plan", token(house, ana) | told).headers["location"]
    plan = re.search(r"P-\d+", made)
    assert plan
    assert vera.post(f"/plans/{plan[0]}/run", token(house, vera)).status_code == 403
    assert ana.post(f"/plans/{plan[0]}/run", token(house, ana)).status_code == 403
    assert pia.post(f"/plans/{plan[0]}/run", token(house, pia)).status_code == 303
    done = finished(house, plan[0])
    assert done["plan"]["state"] == "done"
    assert done["steps"]["act"] == {"done": done["plan"]["account_count"]}
    undo = token(house, pia) | {"reason": "only a trial"}
    assert pia.post(f"/plans/{plan[0]}/undo", undo).status_code == 303
    assert finished(house, plan[0])["plan"]["state"] == "undone"
    assert "only a trial" in ana.get(f"/cases/{filed}").text


def test_who_made_a_plan_does_not_agree_to_it(house: House, filed: str) -> None:
    """The page offers it to others alone; the service refuses whatever the page says; what was seen is agreed to."""
    with house.site.work(house.someone("adam").person) as work:
        from stillwatch.records import Role
        from stillwatch.respond import people

        people.change(work, house.someone("ana").person, roles=[Role.ANALYST, Role.APPROVER])
    ana, pia = house.visitor("ana"), house.visitor("pia")
    told = {"measure": "throttle", "executor": "webhook", "reason": "campaign_member"}
    made = ana.post(f"/cases/{filed}/plan", token(house, ana) | told).headers["location"].split("?")[0]
    page = ana.get(made).text
    assert "Agree to it" not in page
    digest = re.search(r'id="digest">([0-9a-f]{64})', page)
    assert digest
    agree = {"digest": digest[1], "version": "1", "agreed": "yes"}
    assert ana.post(f"{made}/decide", token(house, ana) | agree).status_code == 403
    other = agree | {"digest": "0" * 64}
    assert pia.post(f"{made}/decide", token(house, pia) | other).status_code == 400
    assert pia.post(f"{made}/decide", token(house, pia) | agree).status_code == 303


def test_the_page_of_a_plan_says_whom_it_is_about_and_who_is_told(house: House, filed: str) -> None:
    """Account by account, page by page, as the API does; without notices it promises no link."""
    ana, program = house.visitor("ana"), house.program("ana")
    told = {"measure": "block", "executor": "dry-run", "reason": "campaign_member", "order": "staged"}
    silent = ana.post(f"/cases/{filed}/plan", token(house, ana) | told).headers["location"].split("?")[0]
    page = ana.get(silent).text
    assert "Nobody is told" in page
    assert "holds a link to appeal" not in page
    rows = program.get(f"/api/v1{silent}/accounts?limit=1000").json()
    assert {r["kind"] for r in rows["rows"]} == {"act"}
    assert (
        rows["total"] == len(rows["rows"]) == program.get(f"/api/v1{silent}").json()["plan"]["account_count"]
    )
    assert program.get(f"/api/v1{silent}/accounts?offset=1&limit=1").json()["rows"] == rows["rows"][1:2]
    assert f'href="/accounts/{quote(rows["rows"][0]["account_id"])}"' in page
    assert "without a wait" in page
    past = ana.get(f"{silent}?offset={rows['total']}").text
    assert 'rel="prev"' in past
    open_ = ana.post(f"/cases/{filed}/plan", token(house, ana) | told | {"notices": "yes"}).headers[
        "location"
    ]
    assert "holds a link to appeal" in ana.get(open_).text


def test_a_plan_under_way_can_be_taken_back(
    house: House, filed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page offers it while it runs; it is carried out even when it is asked at the very end."""
    ana, pia = house.visitor("ana"), house.visitor("pia")
    told = {"measure": "block", "executor": "dry-run", "reason": "campaign_member"}
    plan = ana.post(f"/cases/{filed}/plan", token(house, ana) | told).headers["location"].split("?")[0]
    name = plan.rsplit("/", 1)[1]
    at_the_end, go_on = threading.Event(), threading.Event()

    def held(*args: Any, **options: Any) -> dict[str, Any]:
        done = run_plan(*args, **options)
        at_the_end.set()
        assert go_on.wait(30)
        return done

    monkeypatch.setattr("stillwatch.console.running.run_plan", held)
    assert pia.post(f"{plan}/run", token(house, pia)).status_code == 303
    assert at_the_end.wait(30)
    assert "Take everything back" in pia.get(plan).text
    assert pia.post(f"{plan}/undo", token(house, pia) | {"reason": "stop"}).status_code == 303
    go_on.set()
    assert finished(house, name)["plan"]["state"] == "undone"


def test_all_that_the_appeal_page_invites_is_taken(house: House, filed: str) -> None:
    """Five documents of 5 MiB, with the bounds as they ship and with the smallest that may be set."""
    secret = an_appeal(house, filed)
    with pytest.raises(ValueError, match="max_body_bytes"):
        with_console(max_body_bytes=MOST_DOCUMENTS * MOST_BYTES + 2**20 - 1)
    app = make_app(
        replace(house.site, settings=with_console(max_body_bytes=MOST_DOCUMENTS * MOST_BYTES + 2**20))
    )
    one = b"x" * MOST_BYTES
    files = [("documents", (f"{k}.txt", one, "text/plain")) for k in range(MOST_DOCUMENTS)]
    answer = Visitor(app).post(f"/appeal/{secret}", {"statement": "ours", "kind": "other"}, files=files)
    assert answer.status_code == 303
    assert Settings().console.max_body_bytes >= MOST_DOCUMENTS * MOST_BYTES + 2**20


def test_a_plan_that_cannot_be_carried_out_says_why(house: House, filed: str) -> None:
    """Without a webhook nothing is sent; customers are never left untold by mistake."""
    ana = house.visitor("ana")
    told = {"measure": "block", "executor": "webhook", "reason": "campaign_member", "notices": "yes"}
    answer = ana.post(f"/cases/{filed}/plan", token(house, ana) | told)
    assert answer.status_code == 400
    assert "Customers could not be told" in answer.text


def an_appeal(
    house: House, filed: str, account: str = "acct-1", sentence: str = "Your account was blocked."
) -> str:
    """An offered appeal, and the token of its link."""
    secret = "a-token-of-some-length"
    plan = {
        "case_number": int(filed[2:]), "state": "done", "measure": "block", "executor": "dry-run", "stages": [1.0],
        "stage_wait_s": 0.0, "reason": "campaign_member", "sentence": sentence, "account_count": 1, "version": 1,
        "credential_count": 0, "estimate": {}, "families": ["content"], "approvals_needed": 0, "digest": "0" * 64,
        "made_by": house.someone("ana").person.person_id,
    }  # fmt: skip
    offered = {
        "account_id": account, "case_number": int(filed[2:]), "state": "offered", "measure": "block", "version": 1,
        "reason": "campaign_member", "sentence": sentence, "families": ["content"], "statement": "", "answer": "",
    }  # fmt: skip
    with house.site.work(None) as work:
        made = added(work.conn, t.plans.insert().values(**plan, made_at=work.now))
        until = work.now + timedelta(days=30)
        row = t.appeals.insert().values(**offered, plan_number=made, offered_at=work.now, expires_at=until)
        number = added(work.conn, row)
        digest = sha256(secret.encode()).hexdigest()
        link = t.appeal_tokens.insert().values(token_digest=digest, appeal_number=number, issued_at=work.now)
        work.conn.execute(link)
    return secret


def test_a_customer_needs_the_link_and_nothing_else(house: House, filed: str) -> None:
    """No sign-in, no cookie, nothing of the console; a wrong link and none look the same; the clock is shown."""
    link = f"/appeal/{an_appeal(house, filed)}"
    customer = house.stranger()
    page = customer.get(link)
    assert page.status_code == 200
    assert "set-cookie" not in page.headers
    assert 'class="nav"' not in page.text
    assert "what the accounts ask for" in page.text
    assert customer.get("/appeal/another").status_code == 404
    answer = customer.ask("POST", link, data={"statement": "ours"}, headers=SAME)
    assert answer.headers["location"] == f"{link}?done=filed"
    assert "We have your statement" in customer.get(link).text
    house.clock.forward(days=15)
    assert "overdue" in house.visitor("pia").get("/appeals").text
    evil = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    assert customer.ask("POST", link, data={"statement": "x"}, headers=evil).status_code == 403


def test_what_a_customer_writes_is_text_and_what_they_hand_in_is_a_download(house: House, filed: str) -> None:
    """Hostile statements, names and contents: shown as text, never run, never opened here; bounds are said."""
    link = f"/appeal/{an_appeal(house, filed, account=HOSTILE[0], sentence=HOSTILE[1])}"
    customer, pia = house.stranger(), house.visitor("pia")
    statement = " ".join(HOSTILE)[:5_000]
    page = b"<script>alert(1)</script>"
    files = [("documents", (name, page, "text/html")) for name in ("../../evil.html", "=cmd|x.txt")]
    sent = customer.ask(
        "POST", link, data={"statement": statement, "kind": "contract"}, files=files, headers=SAME
    )
    assert sent.status_code == 303, sent.text
    assert quiet(customer.get(link).text)
    reading = pia.get("/appeals/A-1")
    assert quiet(reading.text)
    assert quiet(pia.get("/appeals?state=all").text)
    assert quiet(pia.get("/").text)
    where = re.findall(r"/appeals/A-1/documents/\d+", reading.text)
    assert len(where) == 2
    for each in where:
        got = pia.get(each)
        assert got.content == page
        assert got.headers["content-type"] == "application/octet-stream"
        assert re.fullmatch(r'attachment; filename="[\w. -]+\.txt"', got.headers["content-disposition"])
        assert "sandbox" in got.headers["content-security-policy"]
    odd = customer.ask(
        "POST", link, data={}, files=[("documents", ("x.exe", b"MZ\x00\x01", "x/y"))], headers=SAME
    )
    assert odd.status_code == 400
    many = [("documents", (f"{i}.txt", b"x", "text/plain")) for i in range(9)]
    assert customer.ask("POST", link, data={"statement": "x"}, files=many, headers=SAME).status_code == 400
    with house.site.desk.look(house.someone("otto").person) as work:
        said = {e.what for e in audit.entries(work.conn, limit=50).rows}
    assert {"appeal.file", "appeal.read", "document.read"} <= said


def test_who_acted_does_not_decide(house: House, filed: str) -> None:
    """The page says so, and the service refuses."""
    with house.site.work(house.someone("adam").person) as work:
        from stillwatch.records import Role
        from stillwatch.respond import people

        people.change(work, house.someone("ana").person, roles=[Role.ANALYST, Role.APPROVER])
    link = f"/appeal/{an_appeal(house, filed)}"
    house.stranger().ask("POST", link, data={"statement": "ours"}, headers=SAME)
    ana, pia = house.visitor("ana"), house.visitor("pia")
    assert "You had a part" in ana.get("/appeals/A-1").text
    told = {"outcome": "upheld", "answer": "it stands", "version": "2"}
    assert ana.post("/appeals/A-1/decide", token(house, ana) | told).status_code == 403
    assert pia.post("/appeals/A-1/decide", token(house, pia) | told).status_code == 303
    assert "The action stands." in house.stranger().get(link).text
    finished(house, "P-1")


def test_grants_are_recorded_and_revoked(house: House) -> None:
    """With hostile notes as text; nonsense limits are refused; the account's page names its grant."""
    pia = house.visitor("pia")
    told = {"account_id": "acct-7", "purpose": "research", "valid_from": "2026-01-01", "valid_until": "2030-01-01",
            "max_exchanges": "1,000", "note": HOSTILE[0]}  # fmt: skip
    assert pia.post("/grants", token(house, pia) | told).status_code == 303
    page = pia.get("/grants").text
    assert quiet(page)
    assert "1,000" in page
    assert "research until 2030-01-01" in pia.get("/accounts/acct-7").text
    assert pia.post("/grants", token(house, pia) | told | {"max_exchanges": "many"}).status_code == 400
    assert pia.post("/grants", token(house, pia) | told | {"valid_until": "2020-01-01"}).status_code == 400
    name = re.search(r'name="grant_id" value="([^"]+)"', page)
    assert name
    gone = {"grant_id": name[1], "version": "1", "reason": "the contract ended"}
    assert pia.post("/grants/revoke", token(house, pia) | gone).status_code == 303
    assert "revoked" in pia.get("/grants?all=1").text


def test_prompts_open_to_those_who_may_for_a_time(house: House) -> None:
    """One asks, another agrees; then they are read redacted, until the time is over."""
    ana, pia, vera = house.visitor("ana"), house.visitor("pia"), house.visitor("vera")
    ana.post("/file", token(house, ana))
    rows = house.program("ana").get("/api/v1/cases?limit=100").json()["rows"]
    kept = [r["id"] for r in rows if "Ask to read them" in ana.get(f"/cases/{r['id']}").text]
    assert kept
    case = kept[0]
    assert ana.post(f"/cases/{case}/exemplars", token(house, ana)).status_code == 403
    ana.post(f"/cases/{case}/unlock", token(house, ana) | {"reason": "compare with a benchmark"})
    agree = {"unlock": "1", "version": "1", "hours": "2"}
    assert ana.post("/exemplars/agree", token(house, ana) | agree).status_code == 403
    assert pia.post("/exemplars/agree", token(house, pia) | agree).status_code == 303
    read = ana.post(f"/cases/{case}/exemplars", token(house, ana))
    assert read.status_code == 200
    assert quiet(read.text)
    assert vera.post(f"/cases/{case}/exemplars", token(house, vera)).status_code == 403
    assert ana.get(f"/cases/{case}/exemplars").status_code == 405
    house.clock.forward(minutes=29)
    assert ana.get("/exemplars").status_code == 200
    house.clock.forward(hours=2)
    late = house.visitor("ana")
    assert late.post(f"/cases/{case}/exemplars", token(house, late)).status_code == 403


def with_gate(house: House, **parts: Any) -> None:
    """The console as if it had been started with these folders and files."""
    site: Site = house.app._app.state.site
    house.app._app.state.site = replace(site, **parts)


def test_a_rule_is_switched_off_at_the_gate_and_put_back(house: House, tmp_path: Path) -> None:
    """By those who may, at the folder that the console was started with; a rule that does not exist is refused."""
    gate = tmp_path / "gate"
    gate.mkdir()
    with_gate(house, gate=gate)
    pia, vera = house.visitor("pia"), house.visitor("vera")
    assert "campaign-act" in vera.get("/policy").text
    told = {"rule": "campaign-act", "off": "true"}
    assert vera.post("/policy/switch", token(house, vera) | told).status_code == 403
    assert pia.post("/policy/switch", token(house, pia) | told).status_code == 303
    assert read_switches(gate) == {"campaign-act"}
    assert pia.post("/policy/switch", token(house, pia) | told | {"off": "false"}).status_code == 303
    assert read_switches(gate) == frozenset()
    with_gate(house, gate=None)
    assert pia.post("/policy/switch", token(house, pia) | told).status_code == 404


def test_how_far_a_policy_is_in_force_is_changed_on_record(house: House, tmp_path: Path) -> None:
    """By an approver, as a new version of the file, from the one that was looked at; comments stay."""
    path = tmp_path / "policy.toml"
    path.write_text(show_policy())
    path.chmod(0o640)
    with_gate(house, policy=path, gate=tmp_path)
    pia, adam = house.visitor("pia"), house.visitor("adam")
    now = check_policy(path)
    told = {
        "mode": "canary",
        "canary_percent": "2",
        "version": "2",
        "digest": str(now["digest"]),
        "reason": "try it",
    }
    assert "How far it is in force" not in adam.get("/policy").text
    assert adam.post("/policy/mode", token(house, adam) | told).status_code == 403
    for wrong in (
        {"version": str(now["version"])},
        {"reason": " "},
        {"digest": "0" * 64},
        {"rule": "no-such"},
    ):
        assert pia.post("/policy/mode", token(house, pia) | told | wrong).status_code == 400
    assert path.read_text() == show_policy()
    assert pia.post("/policy/mode", token(house, pia) | told).status_code == 303
    after = check_policy(path)
    assert (after["mode"], after["version"]) == ("canary", "2")
    assert {(r["mode"], r["canary_share"]) for r in after["rules"]} == {("canary", 0.02)}
    assert path.stat().st_mode & 0o777 == 0o640
    assert "# Your own list comes first." in path.read_text()
    assert "No gate on this folder has had this version in force yet" in pia.get("/policy").text
    assert (
        pia.post("/policy/mode", token(house, pia) | told | {"version": "3"}).status_code == 400
    )  # from what it was
    with house.site.desk.look(house.someone("otto").person) as work:
        (line,) = audit.entries(work.conn, what="policy.mode").rows
    assert (line.person_name, line.subject, "try it" in line.details) == ("pia", "every rule", True)


def test_a_policy_that_cannot_be_written_leaves_no_line(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not done stands nowhere as done; and the policy that ships is changed nowhere."""
    path = tmp_path / "policy.toml"
    path.write_text(show_policy())
    pia = house.visitor("pia")
    told = {"mode": "enforce", "version": "2", "digest": str(check_policy(path)["digest"]), "reason": "now"}
    assert pia.post("/policy/mode", token(house, pia) | told).status_code == 404
    with_gate(house, policy=path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stillwatch.wiring.policy_mode.put_file", full)
    assert "no space left" in pia.post("/policy/mode", token(house, pia) | told).text.lower()
    with house.site.desk.look(house.someone("otto").person) as work:
        assert audit.entries(work.conn, what="policy.mode").total == 0


def test_a_simulation_is_made_beside_the_pages(house: House) -> None:
    """One at a time; what it found stands on the page of the same policy and run, for a program too."""
    pia, program = house.visitor("pia"), house.program("ana")
    assert pia.post("/policy/simulate", token(house, pia)).status_code == 303
    assert "under way" in pia.get("/policy").text
    assert program.ask("POST", "/api/v1/policy/simulate").status_code == 400
    for _ in range(1200):
        told = program.get("/api/v1/policy/simulation").json()
        if not told["under_way"]:
            break
        time.sleep(0.05)
    assert told["found"]["candidate"]["accounts"] > 0
    page = pia.get("/policy").text
    assert "If every rule were enforced" in page
    assert "Would touch" in page


def test_an_account_shows_what_the_gate_decided(house: House, tmp_path: Path) -> None:
    """Of late, with rule and mode; for an account that no run has seen as well, and for names that attackers chose."""
    names = ["acct-only-at-the-gate", *HOSTILE[:6]]
    policy = parse_policy(show_policy(), where="policy.toml")
    with closing(DecisionLog(tmp_path, 1 << 20)) as log:
        for name in names:
            facts = Facts(Request("r-1", name, "larch-4", prompt="a secret prompt"))
            decision = decide(policy, facts, house.clock(), settings_digest="", run_digest="")
            log.write(entry(decision, facts))
    vera = house.visitor("vera")
    assert vera.get(f"/accounts/{names[0]}").status_code == 404
    with_gate(house, gate=tmp_path)
    for name in names:
        page = vera.get(f"/accounts/{quote(name.encode('utf-8', 'replace'), safe='')}")
        if page.status_code == 404:  # a lone surrogate cannot stand in an address
            assert name.encode("utf-8", "replace").decode() != name
            continue
        assert "larch-4" in page.text
        assert "a secret prompt" not in page.text
        assert quiet(page.text)
    told = house.program("vera").get(f"/api/v1/accounts/{names[0]}").json()
    assert told["account"] is None
    assert told["decisions"][0]["decision_id"].startswith("D-")
