"""What others shared comes in, stands beside a scan's findings without changing them, and answers flow back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[taxii]'")

from stillwatch.records.sharing import Tlp
from stillwatch.share.taxii.moments import micros_of
from stillwatch.store.sql import open_database
from tests.cli.test_share import FACTS
from tests.conftest import KEY
from tests.share.making import SENDER
from tests.share.taxii.making import SIGNALS, Place, listens, place, stix


def when(days: float) -> str:
    """A time so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def indicator(number: int, pattern: str, level: Tlp = Tlp.AMBER, **more: Any) -> dict[str, Any]:
    """An indicator made yesterday, good for ten days."""
    made = stix(number, level, created=when(-1), modified=when(-1))
    return (
        made
        | {"pattern": pattern, "pattern_type": "stix", "valid_from": when(-1), "valid_until": when(10)}
        | more
    )


def exchange(number: int, account: str, **more: Any) -> dict[str, Any]:
    """A line of a log."""
    return {"exchange_id": f"e{number}", "started_at": when(-2), "account_id": account, "model": "m",
            "prompt": f"What is {number} times {number}?", "completion": str(number * number), **more}  # fmt: skip


@pytest.fixture
def hub(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A server behind a socket, of which the folder's sources file knows; a log with five accounts."""
    engine = open_database(f"sqlite:///{tmp_path / 'hub.db'}")
    here = place(engine)
    here.clock.at, here.clock.step = micros_of(datetime.now(UTC)), 1_000
    with listens(here) as address:
        (tmp_path / "sources.toml").write_text(
            f'[[source]]\nname = "hub"\nroot = "{address}/community/"\ncollection = "{SIGNALS}"\n'
            'token_env = "HUB_TOKEN"\nmember = "south"\nreliability = 0.6\n'
        )
        monkeypatch.setenv("HUB_TOKEN", here.tokens["south"])
        monkeypatch.setenv("STILLWATCH_KEY", KEY)
        rows = [
            exchange(1, "a", client_asn=64500, client_ip="203.0.113.7"), exchange(2, "a", client_asn=64500),
            exchange(3, "b", client_ip="203.0.113.9", user_agent="relay/1.0 x"), exchange(4, "c", client_asn=64501),
            exchange(5, "d", client_ip="not an address"), exchange(6, "e", client_ip="2001:db8:7::5"),
        ]  # fmt: skip
        (tmp_path / "log.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        yield here
    engine.dispose()


SHARED = [
    indicator(1, "[autonomous-system:number = 64500]"), indicator(2, "[ipv4-addr:value = '203.0.113.0/28']"),
    indicator(3, "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'relay/1.0 x']"),
    indicator(4, "[ipv6-addr:value = '2001:db8:7::/48']"), indicator(5, "[autonomous-system:number = 65000]"),
    indicator(6, "[ipv4-addr:value = '0.0.0.0/0']"), indicator(7, "[autonomous-system:number = 64501]", revoked=True),
    indicator(8, "[autonomous-system:number = 64501]", valid_until=when(-0.5)),
    indicator(9, "[autonomous-system:number = 64501]", valid_from=when(3)), stix(10, kind="campaign"),
]  # fmt: skip


def without_timings(folder: Path) -> dict[str, Any]:
    """What a run says, without how long it took."""
    said: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".parquet", ".jsonl"):
            said[path.name] = path.read_bytes()
    summary = json.loads((folder / "summary.json").read_text())
    said["summary"] = {k: v for k, v in summary.items() if k in ("counts", "settings_digest", "inputs")}
    return said


def test_leads_stand_beside_a_scan_and_change_nothing(run: Any, hub: Place) -> None:
    """Pulled, aged, matched in traffic; every file of the run is as without them, and one lies beside."""
    assert hub.add(SHARED)["failure_count"] == 0
    told = run("share", "pull")
    assert told.exit_code == 0, told.stderr
    assert "hub: 10 objects read, 10 kept, 0 known or older" in told.stdout
    assert "hub: 10 objects read, 0 kept, 10 known or older" in run("share", "pull").stdout
    shown = json.loads(run("share", "leads", "--json").stdout)
    assert {r["object_id"] for r in shown["leads"]} == {o["id"] for o in SHARED[:5]}
    assert shown["not_used"] == {
        "a pattern that is not understood": 1, "withdrawn": 1, "aged out": 1, "not valid yet": 1,
    }  # fmt: skip
    plain = run("scan", "log.jsonl", "--out", "plain")
    beside = run("scan", "log.jsonl", "--out", "beside", "--leads", "leads.sqlite")
    assert (plain.exit_code, beside.exit_code) == (0, 0), beside.stderr
    assert without_timings(Path("plain")) == without_timings(Path("beside"))
    assert not Path("plain/leads.json").exists()
    assert "4 of 5 leads from others met this traffic, 0 of them a group" in beside.stdout
    found = json.loads(Path("beside/leads.json").read_text())
    assert found["accounts_looked_at"] == 5
    met = {r["object_id"]: (r["accounts"], r["exchanges"], r["bits"]) for r in found["matches"]}
    assert met == {
        SHARED[0]["id"]: (["a"], 2, 1.1), SHARED[1]["id"]: (["a", "b"], 2, 0.7), SHARED[2]["id"]: (["b"], 1, 1.1),
        SHARED[3]["id"]: (["e"], 1, 1.1),
    }  # fmt: skip
    assert "What is" not in Path("beside/leads.json").read_text()


def met(file: str) -> dict[str, Any]:
    """Accounts, exchanges and bits of each lead that was met."""
    rows = json.loads(Path(file).read_text())["matches"]
    return {r["object_id"]: (sorted(r["accounts"]), r["exchanges"], r["bits"]) for r in rows}


def test_feature_files_are_looked_at_by_their_digests(run: Any, hub: Place) -> None:
    """Addresses, blocks, user agents and AS numbers are met in them as in the log; what cannot be is said."""
    between = indicator(11, "[ipv6-addr:value = '2001:db8:7::/56']")
    hub.add([*SHARED, between])
    run("share", "pull")
    assert run("ingest", "log.jsonl", "--out", "kept").exit_code == 0
    log = run("scan", "log.jsonl", "--out", "log", "--leads", "leads.sqlite")
    kept = run("scan", "kept", "--out", "features", "--leads", "leads.sqlite")
    assert (log.exit_code, kept.exit_code) == (0, 0), kept.stderr
    without = {name: told for name, told in met("log/leads.json").items() if name != between["id"]}
    assert met("features/leads.json") == without and len(without) == 4
    why = "an address block that cannot be looked for in feature files"
    assert json.loads(Path("features/leads.json").read_text())["not_used"][why] == 1


def test_a_scan_replaces_what_lay_beside_the_one_before(run: Any, hub: Place) -> None:
    """Also one without leads, which then has none beside it; a file of somebody else's is left, and stops it."""
    hub.add(SHARED)
    run("share", "pull")
    for _ in range(2):
        told = run("scan", "log.jsonl", "--out", "report", "--leads", "leads.sqlite", "--overwrite")
        assert (told.exit_code, Path("report/leads.html").exists()) == (0, True), told.stderr
    before = Path("report/leads.json").read_bytes()
    Path("bad.jsonl").write_text("no log\n")
    assert run("scan", "bad.jsonl", "--out", "report", "--overwrite").exit_code == 2
    assert (Path("report/leads.json").read_bytes(), Path("report/leads.html").exists()) == (before, True)
    assert run("scan", "log.jsonl", "--out", "report", "--overwrite").exit_code == 0
    assert not list(Path().glob(".report.*"))
    assert not Path("report/leads.json").exists() and not Path("report/leads.html").exists()
    Path("report/leads.json").write_text("[]")
    told = run("scan", "log.jsonl", "--out", "report", "--overwrite")
    assert (told.exit_code, Path("report/leads.json").read_text()) == (2, "[]")


def test_a_watch_looks_for_leads_beside_its_looks(
    run: Any, hub: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says and spends is as without them; newer leads are looked for at the next visit and take no look."""
    hub.add(SHARED)
    run("share", "pull")
    monkeypatch.delenv("HUB_TOKEN")
    plain = run("watch", "log.jsonl", "--out", "plain", "--once")
    leads = ("--leads", "leads.sqlite", "--once")
    beside = run("watch", "log.jsonl", "--out", "beside", *leads)
    assert (plain.exit_code, beside.exit_code) == (0, 0), beside.stderr
    assert without_timings(Path("plain")) == without_timings(Path("beside"))
    assert (
        "; 4 of 5 leads from others met this traffic, 0 of them a group (no verdict: leads.html)"
        in beside.stdout
    )
    run("scan", "log.jsonl", "--out", "scan", "--leads", "leads.sqlite")
    assert met("beside/leads.json") == met("scan/leads.json")
    assert "leads" not in run("watch", "log.jsonl", "--out", "beside", *leads).stdout
    hub.add([indicator(12, "[autonomous-system:number = 64501]")])
    monkeypatch.setenv("HUB_TOKEN", hub.tokens["south"])
    run("share", "pull")
    told = json.loads(run("watch", "log.jsonl", "--out", "beside", *leads, "--json").stdout)
    assert (told["look"], told["leads"]) == (None, {"looked_for": 6, "met": 5, "met_a_group": 0})
    looks = [
        json.loads(run("watch", "--status", "--out", out, "--json").stdout)["looks"]
        for out in ("plain", "beside")
    ]
    assert [[row[k] for k in ("claim", "stand", "controller")] for row in looks[0]] == [
        [row[k] for k in ("claim", "stand", "controller")] for row in looks[1]
    ]
    Path("leads.sqlite").write_bytes(b"no file of leads")
    failed = run("watch", "log.jsonl", "--out", "beside", *leads)
    assert (failed.exit_code, "leads were not looked for" in failed.stderr) == (0, True)
    Path("sources.toml").write_text("[[source]]\nname = 1\n")
    assert run("watch", "log.jsonl", "--out", "beside", *leads).exit_code == 2


HOSTILE = "</code><script>alert(1)</script>\u202e{{ 7 * 7 }}"


def test_the_page_of_leads_is_harmless_and_no_list_of_customers(run: Any, hub: Place) -> None:
    """Words of strangers are text; groups are named, accounts are not; it loads nothing and says it is no verdict."""
    from stillwatch.wiring.lead_page import MOST_ROWS, lead_page
    from stillwatch.wiring.lead_view import read_beside

    hub.add(SHARED)
    run("share", "pull")
    run("scan", "log.jsonl", "--out", "report", "--leads", "leads.sqlite")
    told = json.loads(Path("report/leads.json").read_text())
    [row, *_] = told["matches"]
    row |= {"value": HOSTILE, "source": HOSTILE, "kind": HOSTILE, "campaigns": {HOSTILE: 3}}
    row |= {"accounts": ["acct-of-a-customer"]}
    page = lead_page(read_beside(told), datetime.now(UTC))
    assert "<script" not in page and "\u202e" not in page and ">49<" not in page
    assert "acct-of-a-customer" not in page and "It is no verdict" in page
    assert "src=" not in page and "default-src &#39;none&#39;" not in page and "default-src 'none'" in page
    told["matches"] = [row] * (MOST_ROWS + 7)
    assert "7 more leads" in lead_page(read_beside(told), datetime.now(UTC))
    assert "No lead met this traffic" in lead_page(read_beside(told | {"matches": []}), datetime.now(UTC))


def test_explain_shows_leads_beside_the_finding(run: Any, hub: Place) -> None:
    """From whom, what is thought of the source, and that they changed nothing; hostile text is harmless."""
    from tests.report.factory import make_campaign, make_members

    members = [m.account_id for m in make_members(make_campaign("C-1", 6, days=2))]
    _made_run(Path("report"))
    Path("log.jsonl").write_text(json.dumps(exchange(1, members[0], client_asn=64500)) + "\n")
    hub.add(SHARED[:1])
    run("share", "pull")
    from stillwatch.settings import Settings
    from stillwatch.wiring.lead_matching import match_leads
    from stillwatch.wiring.progress import Unheard

    match_leads(["log.jsonl"], Path("report"), Path("leads.sqlite"), Path("sources.toml"), settings=Settings(),
                format=None, mapping=None, progress=Unheard())  # fmt: skip
    told = run("explain", "report", "C-1")
    assert told.exit_code == 0, told.stderr
    assert (
        "Leads from others (beside the findings, not in them; they changed nothing, and are no verdict):"
        in told.stdout
    )
    assert (
        "asn 64500, shared by hub (right in 60% of cases, as you state), held since" in told.stdout
        and ": 1 of its accounts here, 1 of 1 accounts in all;" in told.stdout
    )
    account = run("explain", "report", members[0]).stdout.partition("What others shared about a network")[2]
    assert "it is no verdict" in account and "asn 64500, shared by hub" in account and "bits" not in account
    text = Path("report/leads.json").read_text().replace('"hub"', '"\\u001b[2Jhub"')
    Path("report/leads.json").write_text(text)
    assert "\x1b" not in run("explain", "report", "C-1").stdout
    Path("report/leads.json").write_text("{")
    broken = run("explain", "report", "C-1")
    assert (broken.exit_code, "scan with --leads again" in broken.stderr) == (2, True)


def _made_run(folder: Path) -> None:
    from dataclasses import replace

    from stillwatch.report import write_result
    from tests.report.factory import make_accounts, make_campaign, make_members, make_result

    campaign = make_campaign("C-1", 6, days=2)
    members = make_members(campaign)
    result = replace(
        make_result(hostile=False), campaigns=(campaign,), members=members, findings=(), abstentions=(),
        accounts=make_accounts(members, 3),
    )  # fmt: skip
    write_result(result, folder, (), "<p>page</p>")


def test_a_withdrawal_opens_the_case_again(run: Any, hub: Place) -> None:
    """Heard at the next pull, no lead any more, told in the case's timeline once somebody acknowledges it."""
    from tests.report.factory import make_campaign, make_members

    member = make_members(make_campaign("C-1", 6, days=2))[0].account_id
    _made_run(Path("report"))
    Path("log.jsonl").write_text(json.dumps(exchange(1, member, client_asn=64500)) + "\n")
    hub.add(SHARED[:1])
    run("share", "pull")
    from stillwatch.settings import Settings
    from stillwatch.wiring.lead_matching import match_leads
    from stillwatch.wiring.progress import Unheard

    match_leads(["log.jsonl"], Path("report"), Path("leads.sqlite"), Path("sources.toml"), settings=Settings(),
                format=None, mapping=None, progress=Unheard())  # fmt: skip
    assert run("respond", "init", "--admin", "adam").exit_code == 0
    assert run("respond", "person", "ana", "--role", "analyst", "--as", "adam").exit_code == 0
    made = run("case", "import", "report", "--as", "ana")
    assert made.exit_code == 0, made.stderr
    closed = run("case", "close", "K-1", "undetermined", "nothing more to see", "--as", "ana")
    assert closed.exit_code == 0, closed.stderr
    hub.add([SHARED[0] | {"modified": when(0), "revoked": True}])
    told = run("share", "pull")
    assert "1 withdrawn" in told.stdout, told.stdout + told.stderr
    shown = run("share", "leads").stdout
    assert f"withdrawn by hub: {SHARED[0]['id']}; beside it stood: C-1 of report" in shown
    done = run("share", "acknowledge", "--as", "ana", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["acknowledged"][0]["cases"] == ["K-1"]
    case = run("case", "show", "K-1", "--as", "ana").stdout
    assert "Withdrawn by its source hub" in case
    again = run("case", "close", "K-1", "undetermined", "still nothing", "--as", "ana")
    assert again.exit_code == 0, "it was open again"
    assert "no withdrawal waits" in run("share", "acknowledge", "--as", "ana").stdout


def test_a_released_draft_is_sent_and_withdrawn(
    run: Any, hub: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before it is released; every object's fate is told; the withdrawal is served to whoever may have had it."""
    _made_run(Path("report"))
    Path("share.toml").write_text(FACTS.replace("2027-01-10T00:00:00Z", when(60)))
    what = ("report", "--campaign", "C-1", "--facts", "share.toml", "--audience", "lab")
    made = run("share", "draft", *what, "-o", "draft")
    assert made.exit_code == 0, made.stderr
    early = run("share", "push", "draft")
    assert (early.exit_code, "must release this" in early.stderr) == (2, True), early.stderr
    run("evidence", "key", "new", "Ada", "--role", "acquirer")
    assert run("share", "release", "draft").exit_code == 0
    refused = run("share", "push", "draft")
    assert (refused.exit_code, "in the name of another member" in refused.stdout) == (2, True), refused.stderr
    sources = Path("sources.toml").read_text()
    Path("sources.toml").write_text(sources.replace('"south"', '"north"'))
    monkeypatch.setenv("HUB_TOKEN", hub.tokens["north"])
    sent = json.loads(run("share", "push", "draft", "--json").stdout)
    assert sent["taken"] == sent["sent"]
    assert run("evidence", "key", "new", "Log", "--role", "log").exit_code == 0
    gone = run("share", "withdraw", "draft", "--json")
    assert gone.exit_code == 0, gone.stderr
    assert isinstance(json.loads(gone.stdout)["leaf"], int), "a withdrawal is a leaf of the evidence log"
    last = hub.get("south", **{"match[type]": "indicator,campaign,report"})["objects"]
    assert len(last) == 3
    assert all(o["revoked"] for o in last)


def test_an_answer_goes_back(run: Any, hub: Place) -> None:
    """A sighting and an opinion reach the collection; what is held closer than amber is not answered."""
    hub.add([*SHARED[:2], indicator(11, "[autonomous-system:number = 64999]", Tlp.AMBER_STRICT)])
    from stillwatch.share.taxii import members
    from stillwatch.store.sql import writing

    with writing(hub.engine) as conn:
        members.put_member(conn, "south", clearance=Tlp.RED, identity=None, active=True, now_us=0)
    run("share", "pull")
    sender = ("--sender", SENDER.identity.replace("7a01", "7a02"))
    for name, verdict in ((SHARED[0]["id"], "seen"), (SHARED[1]["id"], "wrong")):
        told = run("share", "answer", name, verdict, *sender)
        assert "hub has taken 1 of 1 objects" in told.stdout, told.stderr
    given = hub.get("north", **{"match[type]": "sighting,opinion"})["objects"]
    assert [(o["type"], o.get("opinion")) for o in given] == [
        ("sighting", None),
        ("opinion", "strongly-disagree"),
    ]
    closed = run("share", "answer", stix(11)["id"], "seen", *sender)
    assert (closed.exit_code, "needs two people" in closed.stderr) == (2, True)
    run("share", "pull")
    shown = json.loads(run("share", "leads", "--json").stdout)["leads"]
    rows = {r["object_id"]: (r["seen"], r["disputed"]) for r in shown}
    assert (rows[SHARED[0]["id"]], rows[SHARED[1]["id"]]) == ((1, 0), (0, 1))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("reliability = 0.6", "reliability = 1"), "between 0 and 1"), (("reliability = 0.6", ""), "between 0 and 1"),
        (('"HUB_TOKEN"', '"NO_TOKEN"'), "the environment has no NO_TOKEN"), (("root =", "rot ="), "known are"),
        (("[[source]]", "[source]"), "write [[source]]"), (('"hub"', '"a b"'), "name: letters"),
        (("http://127.0.0.1", "http://hub.example"), "is not https"), (("http://", "ftp://"), "is not https"),
        (("community", "elsewhere"), "answered 404"), (('"south"', '"north"'), "answered 401"),
    ],
)  # fmt: skip
def test_a_slip_in_the_sources_is_told(run: Any, hub: Place, change: tuple[str, str], told: str) -> None:
    """And no token is shown."""
    path = Path("sources.toml")
    path.write_text(path.read_text().replace(*change))
    found = run("share", "pull")
    assert found.exit_code == 2, found.stdout
    assert told in found.stderr, found.stderr
    assert hub.tokens["south"] not in found.stderr + found.stdout


def test_other_slips_are_told(run: Any, hub: Place) -> None:
    """Standard input cannot be read twice; leads need a run beside which they stand; a file that is not there."""
    hub.add(SHARED[:1])
    run("share", "pull")
    for args, told in (
        (("scan", "log.jsonl", "--leads", "leads.sqlite"), "leads are shown beside a run"),
        (("share", "leads", "--leads", "none.sqlite"), "none.sqlite is not there"),
        (("share", "pull", "--source", "other"), "no source 'other'"),
        (("share", "answer", "indicator--x", "seen", "--sender", SENDER.identity), "no such object"),
    ):  # fmt: skip
        found = run(*args)
        assert (found.exit_code, told in found.stderr) == (2, True), found.stderr


def test_what_is_not_installed_is_said(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install, before anything is made."""
    import sys

    for name in ("httpx", "rfc8785"):
        monkeypatch.setitem(sys.modules, name, None)
        found = run("share", "pull")
        assert (found.exit_code, f"needs the package {name}" in found.stderr) == (2, True), found.stderr
        assert "pip install 'stillwatch[share]'" in found.stderr
        monkeypatch.delitem(sys.modules, name)
    assert not Path("leads.sqlite").exists()


def test_a_missing_file_of_sources_is_said(run: Any) -> None:
    """With what to do."""
    found = run("share", "pull")
    assert (found.exit_code, "sources.toml" in found.stderr, "hint: " in found.stderr) == (2, True, True), (
        found.stderr
    )
    assert not Path("leads.sqlite").exists()
