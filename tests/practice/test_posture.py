"""A posture: what holds has evidence, what fails says what to do, what was not shown is unseen; on real files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import VerificationError
from stillwatch.practice.controls import controls
from stillwatch.practice.posture import CHECKS, Evidence, Look, Seen, State, counts, judge
from stillwatch.protect.policy import parse_policy
from stillwatch.records import Request
from stillwatch.settings import Settings, load_settings
from stillwatch.wiring import Gate, evidence_log
from stillwatch.wiring.gate_folder import write_switches
from stillwatch.wiring.posture import posture_results
from stillwatch.wiring.posture_policy import asked
from stillwatch.wiring.posture_seen import Places, _witnesses, see
from stillwatch.wiring.progress import Unheard
from stillwatch.wiring.runs import run_id_of
from tests.practice.test_controls import read_oscal

NOW = datetime.now(UTC)
OWN = 'policy = "mine"\nversion = "1"\nmode = "{mode}"\nappeal = "{appeal}"\n'
ADDRESS = "https://appeals.lab.internal/?d={decision}"
"""Somebody's: the names that RFC 2606 keeps for examples and tests reach nobody, and hold nothing."""
GRANT = '[[rule]]\nid = "grant"\nwhen = { grant = ["inside"] }\naction = "observe"\nreason = "within_grant"\n'
ACT = (
    '[[rule]]\nid = "act"\nwhen = { kind = ["campaign"], hint = ["act"] }\naction = "throttle"\n'
    'also = ["summarise", "harden", "mark"]\nreason = "campaign_member"\n'
    'throttle = { rate_per_min = 60, burst = 30 }\nmark = { key = "campaign" }\n'
)
SWEEP = '[[rule]]\nid = "sweep"\nwhen = { signals = ["logit_harvest"] }\naction = "harden"\nreason = "logit_harvest"\n'
HOSTILE = "\x1b]0;owned\x07\u202egnp"


def policy_text(mode: str = "enforce", appeal: str = ADDRESS, rules: str = GRANT + ACT) -> str:
    """A policy."""
    return OWN.format(mode=mode, appeal=appeal) + rules


def a_run(
    folder: Path, *, end: datetime = NOW, null: dict[str, Any] | None = None, hint: str = "none"
) -> Path:
    """The files of a scan's output that a posture reads."""
    folder.mkdir()
    summary = {
        "counts": {"exchanges": 1000, "rejected": 1}, "time_range": {"end": end.isoformat()}, "incomplete": [],
        "false_discovery_rate": 0.01, **({"null_check": null} if null else {}),
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    accounts = pa.table({"account_id": ["a"], "campaign_id": ["C-1"], "disposition_hint": [hint]})
    pq.write_table(accounts, folder / "accounts.parquet")
    for name in ("campaigns.parquet", "members.parquet", "findings.jsonl"):
        (folder / name).touch()
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment in which much holds: settings, policy, a gate that decided, a run, no store of cases."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stillwatch.toml").write_text("[protect]\nenvelopes = true\n[dye]\ninject = true\n")
    (tmp_path / "policy.toml").write_text(policy_text())
    with Gate.open("policy.toml", tmp_path / "gate", settings=Settings()) as gate:
        for n in range(3):
            gate.decide(Request(f"r{n}", "a", "m"))
    a_run(tmp_path / "report", null={"runs": 20, "runs_with_discovery": 0})
    return tmp_path


WHOLE = ("posture", "--run", "report", "--gate", "gate", "--policy", "policy.toml")


def states(run: Callable[..., Any], *arguments: str) -> dict[str, str]:
    """State of each control that was seen or excluded, from the JSON."""
    told = json.loads(run(*arguments, "--json").stdout)["assessment-results"]["results"][0]
    props = {o["uuid"]: o["props"][0]["value"] for o in told["observations"]}
    return dict(zip((c.id for c in controls()), props.values(), strict=True))


def test_a_deployment_in_which_much_holds(run, place: Path) -> None:
    """What holds, fails and is unseen, and the exit status of each wish."""
    found = states(run, *WHOLE)
    holds = {"det-1", "det-2", "det-3", "det-4", "acc-1", "acc-2", "acc-3", "out-1", "out-2", "out-3", "out-4",
             "fair-1", "fair-3"}  # fmt: skip
    assert {id for id, state in found.items() if state == "holds"} == holds
    assert {id for id, state in found.items() if state == "fails"} == {"shr-2"}
    assert run(*WHOLE).exit_code == 10
    assert run(*WHOLE, "--only", "acc-2", "--only", "out-4").exit_code == 0
    assert run("posture", "--only", "evi-1").exit_code == 0
    assert run("posture", "--only", "evi-1", "--strict").exit_code == 10


def test_the_page_says_what_to_do(run, place: Path) -> None:
    """What fails comes first, with its remedy and the facts; a digest stands beside each file."""
    told = run(*WHOLE).stdout
    assert told.startswith("does not hold: 1\n\n  shr-2")
    assert "do: `stillwatch share pull`" in told
    assert re.search(r"policy\.limits_campaigns = enforce  \(policy\.toml, sha256 [0-9a-f]{12} 20", told)


def test_nothing_holds_where_nothing_is_shown(run, tmp_path: Path) -> None:
    """An empty folder: every control is unseen, defaults are no evidence, and nothing is written."""
    found = states(run, "posture")
    assert set(found.values()) == {"unseen"}
    assert run("posture").exit_code == 0
    assert run("posture", "--strict").exit_code == 10
    assert list(tmp_path.iterdir()) == []


def test_what_holds_has_evidence(run, place: Path) -> None:
    """Each satisfied finding leads to an observation with facts, and each fact to a file with a digest."""
    told = json.loads(run(*WHOLE, "--json").stdout)["assessment-results"]["results"][0]
    by_id = {o["uuid"]: o for o in told["observations"]}
    satisfied = [f for f in told["findings"] if f["target"]["status"]["state"] == "satisfied"]
    assert len(satisfied) == 13
    for finding in satisfied:
        for fact in by_id[finding["related-observations"][0]["observation-uuid"]]["relevant-evidence"]:
            named = {prop["name"]: prop["value"] for prop in fact["props"]}
            assert {"key", "value", "sha256", "changed"} <= set(named)
            assert (place / fact["description"]).exists()


def test_it_is_oscal(run, place: Path) -> None:
    """compliance-trestle reads it, also when all or nothing was seen."""
    for name, arguments in (
        ("much", WHOLE),
        ("none", ("posture", "--only", "evi-1")),
        ("one", (*WHOLE, "--only", "acc-1")),
    ):
        (place / f"{name}.json").write_text(run(*arguments, "--json").stdout)
        assert "Posture" in read_oscal("assessment-results", place / f"{name}.json")


def damage(place: Path) -> None:
    """A torn line at the end of the decision log."""
    with (place / "gate" / "decisions.jsonl").open("a") as log:
        log.write("{\n")


WORSE: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "shadow": ("acc-2", lambda p: (p / "policy.toml").write_text(policy_text("shadow"))),
    "another policy": ("acc-1", lambda p: (p / "policy.toml").write_text(policy_text() + "# changed\n")),
    "another policy's rules": ("out-2", lambda p: (p / "policy.toml").write_text(policy_text() + "# changed\n")),
    "switched off": ("acc-2", lambda p: write_switches(p / "gate", frozenset({"act"}))),
    "no permission": ("fair-3", lambda p: (p / "policy.toml").write_text(policy_text(rules=ACT + GRANT))),
    "an example's address": ("fair-1", lambda p: (p / "policy.toml").write_text(
        policy_text(appeal="mailto:a@example.com?s={decision}"))),
    "covert": ("fair-1", lambda p: (p / "policy.toml").write_text(policy_text(rules=GRANT + ACT + "covert = true\n"))),
    "no envelopes": ("out-4", lambda p: (p / "stillwatch.toml").write_text("")),
    "no injection": ("out-3", lambda p: (p / "stillwatch.toml").write_text("")),
    "text is kept": ("det-2", lambda p: (p / "stillwatch.toml").write_text('[privacy]\ncontent = "retain"\n')),
    "a damaged line": ("acc-3", damage),
    "an example's address with a port": ("fair-1", lambda p: (p / "policy.toml").write_text(
        policy_text(appeal="https://lab.example.com:443/?d={decision}"))),
    "an address for tests": ("fair-1", lambda p: (p / "policy.toml").write_text(
        policy_text(appeal="https://lab.test/?d={decision}"))),
    "this machine's address": ("fair-1", lambda p: (p / "policy.toml").write_text(
        policy_text(appeal="http://LOCALHOST./?d={decision}"))),
    "another policy's address": ("fair-1", lambda p: (p / "policy.toml").write_text(policy_text() + "# changed\n")),
    "another policy's permission": ("fair-3", lambda p: (p / "policy.toml").write_text(policy_text() + "# changed\n")),
    "a sweep inside a permission": ("fair-3", lambda p: (p / "policy.toml").write_text(
        policy_text(rules=SWEEP + GRANT + ACT))),
}  # fmt: skip


@pytest.mark.parametrize("worse", WORSE, ids=lambda worse: worse.replace(" ", "-"))
def test_what_is_worse_fails(run, place: Path, worse: str) -> None:
    """Each change breaks its control and is told as failing, not as unseen."""
    id, change = WORSE[worse]
    assert states(run, *WHOLE)[id] == "holds"
    change(place)
    assert states(run, *WHOLE)[id] == "fails"


@pytest.mark.parametrize(
    ("id", "made"),
    [
        ("det-3", {"end": NOW - timedelta(days=8)}),
        ("det-3", {"end": NOW + timedelta(days=30)}),
        ("det-4", {"null": None}),
        ("det-4", {"null": {"runs": 20, "runs_with_discovery": 3}}),
    ],
)
def test_a_run_that_is_old_or_unchecked_fails(run, place: Path, id: str, made: dict[str, Any]) -> None:
    """Nor is a run from the future recent; a few discoveries in shuffled data are more than the rate allows."""
    a_run(place / "other", **{"null": {"runs": 20, "runs_with_discovery": 1}, **made})
    assert states(run, "posture", "--run", "other")[id] == "fails"


def test_a_long_past_hides_no_outage(place: Path) -> None:
    """Decisions are counted over the last days of the log alone; a time that is none is a damaged line."""
    made = {"reason": "no_rule", "policy_digest": "d"}
    old = [{**made, "at": (NOW - timedelta(days=30)).isoformat()}] * 5000
    new = [
        {**made, "at": NOW.isoformat(), "reason": "fail_open"},
        {**made, "at": NOW.isoformat(), "covert": True},
    ]
    lines = [{"decision": decision} for decision in (*old, *new, {**made, "at": "0001-01-01T00:00:00+23:59"})]
    (place / "gate" / "decisions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    facts = see(Places(gate=place / "gate"), Settings(), progress=Unheard(), env={}).facts
    names = ("decisions", "undecided", "covert_decisions", "damaged_lines")
    assert [facts[f"gate.{name}"].value for name in names] == [2, 1, 1, 1]


@pytest.mark.parametrize("days", [-8, 2])
def test_what_is_old_or_yet_to_come_holds_nothing(run, place: Path, days: int) -> None:
    """By a gate that is silent or dated ahead, and a run that is old, nothing holds but what neither says."""
    at = NOW + timedelta(days=days)
    log = place / "gate" / "decisions.jsonl"
    line = json.loads(log.read_bytes().splitlines()[0])
    line["decision"]["at"] = at.isoformat()
    with log.open("a") as lines:
        lines.write(json.dumps(line) + "\n")
    if days < 0:
        log.write_text(json.dumps(line) + "\n")
    a_run(place / "other", end=at, null={"runs": 20, "runs_with_discovery": 0})
    found = states(run, "posture", "--run", "other", "--gate", "gate", "--policy", "policy.toml")
    assert {id for id, state in found.items() if state == "holds"} == {"det-2", "out-4"}
    assert {id for id in ("det-3", "acc-1") if found[id] == "fails"} == {"det-3", "acc-1"}


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("", "fails"), ("{}", "fails"), ('{"run": "RUN", "leads": 0, "accounts_looked_at": 9}', "fails"),
        ('{"run": "another", "leads": 5, "accounts_looked_at": 9}', "fails"),
        ('{"run": "RUN", "leads": 5, "accounts_looked_at": 9}', "holds"),
    ],
)  # fmt: skip
def test_leads_were_looked_for_only_where_the_run_says_how_many(
    run, place: Path, told: str, state: str
) -> None:
    """An empty file, one of another run, and a search for nothing are none."""
    (place / "report" / "leads.json").write_text(told.replace("RUN", run_id_of(place / "report")))
    assert states(run, *WHOLE)["shr-2"] == state


def test_chance_alone_does_not_fail_the_null() -> None:
    """One discovery in twenty shuffles happens one time in six at a rate of a hundredth."""
    keys = {"run.stated_rate": 0.01, "run.null_runs": 20, "run.null_found": 1}
    look = Look(Seen({k: Evidence(k, v, "f") for k, v in keys.items()}, {}), 0.0, 7.0)
    assert CHECKS["det-4"](look)[0]


def test_a_log_that_nobody_saw_or_that_was_changed_fails(run, place: Path, monkeypatch) -> None:
    """A log is kept; witnessed by whom settings name; and found not to fit together by its own check."""
    run("evidence", "key", "new", "Log", "--role", "log")
    done = run("evidence", "log", "add", "finding", "report/summary.json")
    assert done.exit_code == 0, done.stderr
    assert {id: states(run, *WHOLE)[id] for id in ("evi-1", "evi-2")} == {"evi-1": "holds", "evi-2": "fails"}
    log = place / "evidence" / "log"
    (log / "witnessed").write_text(json.dumps({"KEY": 2, "OTHER": 2}))
    (place / "w.toml").write_text('[evidence]\nwitnesses = ["http://w.test KEY"]\nwitnesses_needed = 1\n')
    settings = load_settings(place / "w.toml")
    assert [_witnesses(log / "witnessed", settings, leaves) for leaves in (2, 3, 0)] == [1, 0, 0]

    def changed(*_: Any) -> None:
        raise VerificationError("a tile was changed")

    monkeypatch.setattr(evidence_log, "check_log", changed)
    assert states(run, *WHOLE)["evi-1"] == "fails"


@pytest.mark.parametrize("leaves", [40, 300])
def test_a_log_is_looked_at_and_never_mended(run, place: Path, leaves: int) -> None:
    """Whatever file of it is changed or taken away is noticed, each time anew, and is left as it was found."""
    run("evidence", "key", "new", "Log", "--role", "log")
    settings = Settings()
    with evidence_log.opened(settings) as log:
        kept = {p.name for p in Path(settings.evidence.log).rglob("*.p/*")}
        log.append([b"leaf %d" % n for n in range(log.size, leaves)])
        evidence_log.publish(settings, log, evidence_log.log_key(settings, {}))
    files = {
        p: p.read_bytes() for p in Path(settings.evidence.log).rglob("*") if p.is_file() and p.name != ".lock"
    }
    of_this_size = {p for p in files if p.parent.suffix != ".p" or p.name not in kept}
    assert len(of_this_size) >= 4

    def evi_1() -> State:
        seen = see(Places(cases=False), settings, progress=Unheard(), env={})
        return next(
            j.state for j in judge(seen, now=NOW.timestamp(), max_age_days=7) if j.control.id == "evi-1"
        )

    assert evi_1() is State.HOLDS
    for path in of_this_size:
        for bad in (bytes([files[path][0] ^ 1]) + files[path][1:], b""):
            path.write_bytes(bad) if bad else path.unlink()
            before = {p: p.read_bytes() for p in path.parents[2].rglob("*") if p.is_file()}
            assert [evi_1(), evi_1()] == [State.FAILS] * 2, (path, bad[:1])
            assert {p: p.read_bytes() for p in path.parents[2].rglob("*") if p.is_file()} == before
            path.write_bytes(files[path])
    assert evi_1() is State.HOLDS


def test_campaigns_without_a_case_fail(run, place: Path) -> None:
    """A run that puts something forward, and a store that does not know of it; then it does."""
    run("respond", "init", "--admin", "adam")
    a_run(place / "forward", hint="act")
    assert states(run, "posture", "--run", "forward")["res-1"] == "fails"
    assert states(run, "posture", "--run", "forward", "--no-cases")["res-1"] == "unseen"
    found = states(run, *WHOLE)
    assert (found["res-1"], found["res-2"], found["fair-2"]) == ("holds", "holds", "holds")


def test_a_rule_that_is_never_reached_does_not_count() -> None:
    """The policy is asked, not read: an earlier rule decides, and the limit is only written."""
    first = '[[rule]]\nid = "first"\nwhen = { tier = ["member"] }\naction = "observe"\nreason = "linked_account"\n'
    told = asked(parse_policy(policy_text(rules=first + ACT), where="p"), frozenset())
    assert told["policy.limits_campaigns"] == "none"
    assert (
        asked(parse_policy(policy_text("canary"), where="p"), frozenset())["policy.limits_campaigns"]
        == "canary"
    )
    told = asked(parse_policy(policy_text(rules=SWEEP), where="p"), frozenset())
    assert (told["policy.hardens"], told["policy.limits_campaigns"]) == ("enforce", "none")
    told = asked(parse_policy(policy_text(), where="p"), frozenset({"act"}))
    assert (told["policy.hardens"], told["policy.marks_campaigns"]) == ("off", "off")
    narrow = ACT.replace('hint = ["act"]', 'hint = ["act"], model = ["m-small"]')
    assert (
        asked(parse_policy(policy_text(rules=narrow), where="p"), frozenset())["policy.limits_campaigns"]
        == "none"
    )


def test_damaged_parts_are_unseen_and_the_others_go_on(place: Path) -> None:
    """A part of others' making never ends the whole, and never holds."""
    (place / "report" / "summary.json").write_text("[" * 100_000)
    (place / "policy.toml").write_bytes(b"\xff\xfe")
    (place / "stillwatch.db").write_bytes(b"no database")
    (place / "gate" / "decisions.jsonl").write_bytes(b'{"decision": {"at": "x", "reason": 1}}\n')
    places = Places(place / "stillwatch.toml", place / "policy.toml", place / "gate", place / "report")
    seen = see(places, Settings(), progress=Unheard(), env={})
    assert {"run", "policy", "cases", "gate"} <= set(seen.missing)
    judged = judge(seen, now=NOW.timestamp(), max_age_days=7)
    assert counts(judged)["holds"] == 1
    assert all(one.state is not State.HOLDS or one.evidence for one in judged)


def test_hostile_names_do_not_reach_the_terminal(run, place: Path) -> None:
    """Names of files and rules are written by others."""
    (place / f"{HOSTILE}.toml").write_text(policy_text("shadow"))
    told = run("posture", "--policy", f"{HOSTILE}.toml", "--only", "acc-2")
    as_json = run("posture", "--policy", f"{HOSTILE}.toml", "--only", "acc-2", "--json").stdout
    for text in (told.stdout, told.stderr, as_json):
        assert not set(text) & set("\x1b\x07\u202e")
    assert "acc-2" in told.stdout


def test_slips_are_told(run, place: Path) -> None:
    """An unknown control, a folder that is not there, settings that are none."""
    assert "no control" in run("posture", "--only", "acc-9").stderr
    assert run("posture", "--run", "nowhere").exit_code == 2
    (place / "stillwatch.toml").write_text("[protect]\nenvelope = 1\n")
    assert run("posture").exit_code == 2


def test_every_control_has_a_check_or_is_for_people() -> None:
    """And no check is without its control."""
    ids = {one.id for one in controls()}
    assert set(CHECKS) == ids - {"res-3"}
    assert {one.id for one in controls() if not one.seen_in} == {"res-3"}


def test_ids_of_a_posture_are_its_own() -> None:
    """Another time, another document."""
    judged = judge(Seen({}, {}), now=0.0, max_age_days=7)
    first = posture_results(judged, NOW)["assessment-results"]["uuid"]
    assert first == posture_results(judged, NOW)["assessment-results"]["uuid"]
    assert first != posture_results(judged, NOW + timedelta(seconds=1))["assessment-results"]["uuid"]
