"""The rule pack: what it says of itself, and through pySigma's own conversion what it raises, and on whom not."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest

from stillwatch.practice.events import FIELDS, event_of_line, event_of_row
from stillwatch.practice.sigma import LEVELS, OPERATORS, rule, rules, to_yaml
from stillwatch.protect.decide import fault
from stillwatch.protect.ledger import entry
from stillwatch.records import Answer, Facts, Reason, Request, SignalHit
from stillwatch.settings import ProtectSettings, Settings
from stillwatch.share import atlas
from stillwatch.wiring import Gate, generate, sigma_events
from stillwatch.wiring.progress import Unheard
from tests.protect.making import HEAD
from tests.protect.making import rule as policy_rule

ROOT = Path(__file__).resolve().parents[2]
PYSIGMA = ROOT / ".cache" / "sigma" / "bin" / "python"
SEED, ACCOUNTS = 501, 300
DAY = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECRET = b"s" * 32
CANARY = "zebra-quartz-41"
EVERY = pytest.mark.parametrize("one", rules(), ids=lambda one: one.key)
BY_NAME = {field.name: field for field in FIELDS}


@EVERY
def test_a_rule_says_what_it_is(one) -> None:
    """Known level, known count, honest doubles, techniques of the vendored ATLAS, fields of the log source."""
    assert one.level in LEVELS
    assert one.counted is None or one.counted.type in OPERATORS
    assert one.looks_alike, "every rule has honest doubles"
    assert one.techniques
    for id in one.techniques:
        atlas.entry(id, atlas.TECHNIQUE)
    assert set(one.fields) <= set(BY_NAME)


@EVERY
def test_who_can_fill_its_fields_is_said_right(one) -> None:
    """A rule on exchanges reads only what exchanges fill, and so on."""
    for name in one.fields:
        filled = BY_NAME[name].filled
        assert filled in (one.source, "both") or (one.source == "both" and filled == "both"), name


def test_ids_are_used_once() -> None:
    """Rules and counts."""
    ids = [id for one in rules() for id in (one.id, one.counted.id if one.counted else None) if id]
    assert len(ids) == len(set(ids))
    assert {path.stem for path in (ROOT / "src/stillwatch/practice/rules").glob("*.toml")} == {
        r.key for r in rules()
    }


def test_every_field_is_documented() -> None:
    """The page lists the log source."""
    page = (ROOT / "docs" / "practice.md").read_text("utf-8")
    assert [f.name for f in FIELDS if f"`{f.name}`" not in page] == []
    assert [r.key for r in rules() if f"`{r.key}`" not in page] == []


def test_a_low_rule_never_decides_more_than_one_request() -> None:
    """What is counted is informational by itself: only the count may alarm."""
    text = to_yaml(rule("refusal_switch"))
    first, second = text.split("---\n")
    assert 'level: "informational"' in first
    assert 'level: "medium"' in second


def test_list_show_and_export(run, tmp_path: Path) -> None:
    """As a user meets them; nothing is overwritten; a slip is told."""
    assert "sealed_replay" in run("sigma", "list").stdout
    assert run("sigma", "show", "logit_sweep").stdout.count("title:") == 2
    assert run("sigma", "export", "--out", "made").exit_code == 0
    assert len(list((tmp_path / "made").glob("*.yml"))) == len(rules())
    assert "exists already" in run("sigma", "export", "sealed_replay", "--out", "made").stderr
    assert "no rule" in run("sigma", "show", "x\x1b[2J").stderr
    assert "\x1b" not in run("sigma", "show", "x\x1b[2J").stderr
    assert "nothing to read" in run("sigma", "events", "--out", "e.jsonl").stderr


def exchanges(account: str, count: int, every_s: float, **changes: Any) -> list[dict[str, Any]]:
    """Exchanges of one account, evenly spaced; a change may be a function of the number."""
    rows = []
    for n in range(count):
        own = {k: v(n) if callable(v) else v for k, v in changes.items()}
        rows.append({
            "exchange_id": f"{account}-{n}", "started_at": (DAY + timedelta(seconds=n * every_s)).isoformat(),
            "account_id": account, "model": "larch-4", "operation": "chat", "prompt": f"{CANARY} {n}", **own,
        })  # fmt: skip
    return rows


def planted() -> list[dict[str, Any]]:
    """Exchanges of planted attackers, each account named after the rule that it is to raise."""
    proof = (
        "Think step by step and show your full reasoning. Solve: {} + {} apples in a basket, then explain."
    )
    models, countries = ("larch-2", "larch-3", "larch-4"), ("DE", "BR", "JP", "US")
    return [
        *exchanges("logprob_bulk", 600, 5, logprobs=True),
        *exchanges("reasoning_template", 300, 10, prompt=lambda n: proof.format(n, n + 7)),
        *exchanges("sample_bulk", 150, 20, n=16),
        *exchanges("refusal_probing", 30, 60, finish_reason="refusal"),
        *exchanges("refusal_switch", 6, 300, finish_reason="refusal", model=lambda n: models[n % 3]),
        *exchanges("key_many_addresses", 40, 60, credential_id="k1", client_ip=lambda n: f"203.0.113.{n}"),
        *exchanges("key_many_countries", 8, 300, credential_id="k2", client_country=lambda n: countries[n % 4]),
        *exchanges("key_many_clients", 12, 200, credential_id="k3", user_agent=lambda n: f"client-{n % 6}/1.0"),
    ]  # fmt: skip


def decide(folder: Path, world: Path) -> None:
    """Decisions of a real gate: planted attackers, and the whole traffic of the world beside them."""
    settings = Settings(protect=ProtectSettings(envelopes=True))
    policy = folder.parent / "policy.toml"
    policy.write_text(HEAD + policy_rule(when='signals = ["sealed_replay", "logit_harvest"]'))
    with Gate.open(policy, folder, settings=settings, secret=SECRET) as gate:
        issued = Request("i-1", "victim", "larch-4", conversation_id="c1")
        gate.decide(issued, DAY)
        gate.record(issued, Answer(10, ("block-1",)), DAY)
        gate.decide(Request("r-1", "sealed_replay", "larch-4", sealed_in=("block-1",), prompt=CANARY), DAY)
        sealed = gate.wrap("secret block", issued, DAY)
        _, changed = gate.unwrap([sealed[:-9] + "AAAAAAAA="], Request("r-2", "envelope_changed", "larch-4"))
        gate.decide(changed, DAY)
        for n in range(80):
            swept = Request(
                f"s-{n}", "logit_sweep", "larch-4", logprobs=True, logit_bias=(str(n), str(n + 9))
            )
            gate.decide(swept, DAY + timedelta(seconds=n * 20))
        for n in range(120):
            gate.undecided(Request(f"u-{n}", "undecided", "larch-4"), "planted", DAY + timedelta(seconds=n))
        rows = pq.read_table(
            world / "exchanges", columns=["exchange_id", "account_id", "model", "started_at"]
        )
        for row in rows.to_pylist():
            gate.decide(Request(row["exchange_id"], row["account_id"], row["model"]), row["started_at"])
    beyond = Request("g-1", "outside_grant", "larch-4")
    facts = Facts(beyond, grant="outside", signals=(SignalHit("grant_scope", 1.0, "outside"),))
    observed = replace(fault(beyond, DAY, closed=False, policy=None), reason=Reason.OUTSIDE_GRANT)
    (folder / "decisions-000001.jsonl").write_bytes(entry(observed, facts))


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """The events of a world with two campaigns and planted attackers, and the honest accounts of the world."""
    place = tmp_path_factory.mktemp("sigma")
    world, logs, gate = place / "world", place / "planted.jsonl", place / "gate"
    generate("smoke", SEED, 1.0, world, Unheard(), processes=1)
    logs.write_text("".join(json.dumps(row) + "\n" for row in planted()))
    decide(gate, world)
    out = place / "events.jsonl"
    counts = sigma_events(
        [str(world / "exchanges"), str(logs)], out, gate=gate, settings=Settings(), format=None, mapping=None,
        progress=Unheard(), env={"STILLWATCH_KEY": "5a" * 32},
    )  # fmt: skip
    assert counts["rejected"] == 0
    with out.open("a") as lines:
        fields = "model messages watermark_config logits_processors"
        gateway = {"timestamp": DAY.isoformat(), "stillwatch.account_id": "marking_fields"}
        lines.write(json.dumps(gateway | {"stillwatch.request.fields": fields}) + "\n")
    truth = pq.read_table(world / "truth" / "accounts.parquet").to_pylist()
    return out, {row["account_id"] for row in truth if row["campaign_id"] is None and row["exchanges"]}


@pytest.fixture(scope="module")
def raised(events: tuple[Path, set[str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """By rule, the accounts whose events raised it, as pySigma and SQLite say."""
    if not PYSIGMA.exists():
        pytest.skip("pySigma is not installed in .cache/sigma; `make sigma` installs it")
    pack = tmp_path_factory.mktemp("pack")
    for one in rules():
        (pack / f"{one.key}.yml").write_text(to_yaml(one))
    done = subprocess.run(
        [PYSIGMA, ROOT / "scripts" / "run_sigma.py", pack, events[0], *BY_NAME],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    who = [json.loads(line).get("stillwatch.account_id", "") for line in events[0].read_text().splitlines()]
    return {key: {who[place - 1] for place in places} for key, places in json.loads(done.stdout).items()}


def test_each_rule_raises_its_planted_attacker(raised: dict[str, set[str]]) -> None:
    """Converted by pySigma, run by SQLite, over events made of logs and of a real gate's decisions."""
    assert {key: key in found for key, found in raised.items()} == {one.key: True for one in rules()}


def test_no_rule_raises_the_attacker_of_another(raised: dict[str, set[str]]) -> None:
    """A rule raises what it is for; the sweep is log-probabilities too, though too few to be bulk."""
    keys = {one.key for one in rules()}
    assert {key: found & keys for key, found in raised.items()} == {key: {key} for key in raised}


def test_the_pack_is_quiet_on_honest_traffic(
    raised: dict[str, set[str]], events: tuple[Path, set[str]]
) -> None:
    """Population: honest accounts of the world `smoke`, seed 501, look-alikes among them; 95 % by Clopper-Pearson."""
    honest = events[1]
    assert len(honest) >= ACCOUNTS
    wronged = honest & set().union(*raised.values())
    assert wronged == set()
    assert binomtest(len(wronged), len(honest)).proportion_ci(0.95).high < 0.015


def test_an_event_says_nothing_that_was_said(events: tuple[Path, set[str]]) -> None:
    """Neither prompts nor addresses nor keys; only fields of the log source."""
    text = events[0].read_text()
    for secret in (CANARY, "203.0.113.", "secret block", "apples", '"k1"', "client-3/1.0"):
        assert secret not in text
    assert {name for line in text.splitlines() for name in json.loads(line)} <= set(BY_NAME)


def test_a_line_that_is_none_is_counted(tmp_path: Path) -> None:
    """A damaged decision log loses its damaged lines, and says how many."""
    gate = tmp_path / "gate"
    gate.mkdir()
    beyond = Request("g-1", "a\x1b[2J\ud800" + "x" * 5000, "m")
    good = entry(fault(beyond, DAY, closed=False, policy=None), Facts(beyond))
    (gate / "decisions.jsonl").write_bytes(
        b'{"decision": {"at": 3}}\nnonsense\n\xff\xfe\n' + good + b'{"deci'
    )
    out = tmp_path / "e.jsonl"
    counts = sigma_events(
        (), out, gate=gate, settings=Settings(), format=None, mapping=None, progress=Unheard(), env={}
    )
    assert (counts["decisions"], counts["rejected"]) == (1, 4)
    assert len(json.loads(out.read_text())["stillwatch.account_id"]) == 256
    assert "\x1b" not in out.read_text()


def test_a_score_is_read_as_what_differs() -> None:
    """Remembered blocks tell by score, envelopes by name; the worse of both is kept."""
    request = {
        "model": "m",
        "operation": "chat",
        "logprobs": False,
        "logit_bias": [],
        "n": 1,
        "sealed_differing": [],
    }
    decision = {
        "at": DAY.isoformat(),
        "account_id": "a",
        "reason": "r",
        "action": "observe",
        "decision_id": "D-1",
    }

    def differs(score: float, told: list[str]) -> Any:
        hit = {"id": "sealed_replay", "score": score, "detail": "x"}
        line = {
            "decision": decision,
            "request": request | {"sealed_differing": told},
            "signals": [hit] if score else [],
        }
        return event_of_line(line).get("stillwatch.sealed.differs")

    assert differs(1.0, []) == "account"
    assert differs(1.0, ["seal"]) == "seal"
    assert differs(1.0, ["model"]) == "account model"
    assert differs(0.5, []) == "model"
    assert differs(0.25, []) == "conversation"
    assert differs(0.0, []) is None


def test_a_missing_fact_is_no_field() -> None:
    """Not zero, not empty: a rule on it does not match."""
    names = ("ts", "acct", "model", "operation", "country", "finish", "status", "n", "max_tokens", "input_tokens",
             "output_tokens", "ip", "ua", "cred", "logprobs", "cues", "head", "tail", "s1", "s2", "s3",
             "t1")  # fmt: skip
    digests = {"ip", "ua", "cred", "cues", "head", "tail", "s1", "s2", "s3", "t1"}
    row = {name: 0 if name in digests else -1 for name in names} | {"ts": 0, "acct": "a", "model": "m"}
    row |= {"operation": None, "country": None}
    assert set(event_of_row(row, lambda _: ())) == {
        "timestamp",
        "stillwatch.account_id",
        "gen_ai.request.model",
    }
