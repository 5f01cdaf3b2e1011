"""``policy`` and ``decision`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.records import EXCHANGE_SCHEMA
from stillwatch.wiring.policy import Gate
from tests.protect.making import HEAD, NOW, rule, write_run


@pytest.fixture
def here(run: Any) -> Path:
    """The working folder, with a run, logs, an account table and a policy."""
    write_run(Path("run"))
    rows = [
        {"exchange_id": f"e{i}", "started_at": NOW, "account_id": name, "model": "m-large", "channel": "api"}
        for i, name in enumerate([f"m{k % 6}" for k in range(30)] + [f"o{k}" for k in range(14)])
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=EXCHANGE_SCHEMA), "logs.parquet")
    Path("accounts.jsonl").write_text(
        "".join(f'{{"account_id":"{n}","plan":"free"}}\n' for n in ["m0", "o0", "never-seen"])
    )
    Path("policy.toml").write_text(HEAD + rule("act", when='hint = ["act"]', action="hold"))
    return Path.cwd()


def test_show_prints_a_policy_that_loads(run: Any) -> None:
    """To start from."""
    Path("p.toml").write_text(run("policy", "show").stdout)
    assert "loads: 8 rules" in run("policy", "check", "p.toml").stdout


def test_check_lists_rules_and_prints_notices(run: Any, here: Path) -> None:
    """Notices go to standard error, so that they are seen in a pipe."""
    Path("covert.toml").write_text(
        HEAD + rule("a", action="mark", more='covert = true\nmark = { key = "k" }')
    )
    done = run("policy", "check", "covert.toml")
    assert done.exit_code == 0
    assert "notice: rule a (line 5) is covert" in done.stderr
    assert json.loads(run("policy", "check", "policy.toml", "--json").stdout)["rules"][0]["when"] == {
        "hint": ["act"]
    }


def test_check_refuses_with_file_line_and_rule(run: Any) -> None:
    """Exit status 2 and a hint."""
    Path("bad.toml").write_text(HEAD + rule("act", action="ban"))
    done = run("policy", "check", "bad.toml")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: bad.toml:8: rule act: action")
    assert "hint:" in done.stderr
    assert run("policy", "check", "missing.toml").exit_code == 2
    Path("bytes.toml").write_bytes(b'policy = "a"\n\xff\n')
    assert "bytes.toml:2: not UTF-8" in run("policy", "check", "bytes.toml").stderr


def test_explain_says_which_rule_fits_and_what_others_miss(run: Any, here: Path) -> None:
    """From a run, and from a gate's folder after publishing to it."""
    told = run("policy", "explain", "policy.toml", "--account", "m0", "--on", "run")
    assert "act (line 5): fits (hold), enforce" in told.stdout
    assert "answer: hold (not served)" in told.stdout
    assert run("policy", "publish", "run", "--into", "gate", "--accounts", "accounts.jsonl").exit_code == 0
    other = run("policy", "explain", "policy.toml", "--account", "o0", "--gate", "gate")
    assert "does not fit: hint" in other.stdout and "the fall-through" in other.stdout
    both = run("policy", "explain", "policy.toml", "--account", "o0", "--gate", "gate", "--on", "run")
    assert (both.exit_code, "either a run or a gate" in both.stderr) == (2, True)
    evil = run("policy", "explain", "policy.toml", "--account", "a\x1b[2J", "--on", "run")
    assert "\x1b" not in evil.stdout


def test_simulate_says_who_would_have_been_touched(run: Any, here: Path) -> None:
    """By action, rule and segment, beside the policy in force, with an interval; nothing is written."""
    before = sorted(p.name for p in here.iterdir())
    arguments = ("policy", "simulate", "policy.toml", "--on", "run", "--exchanges", "logs.parquet", "--accounts",
                 "accounts.jsonl")  # fmt: skip
    found = json.loads(run(*arguments, "--json").stdout)
    candidate = found["candidate"]
    assert (candidate["requests"], candidate["accounts"], candidate["touched"]) == (44, 20, 6)
    assert candidate["by_action"]["hold"] == {"accounts": 6, "requests": 30}
    assert candidate["requests_not_served"] == 30
    assert candidate["by_rule"] == {"act": 6}
    assert candidate["by_segment"]["plan"] == {
        "free": {"accounts": 2, "touched": 1}, "not known": {"accounts": 18, "touched": 5},
    }  # fmt: skip
    assert candidate["innocent"] == {
        "rated": 6,
        "expected": 0.06,
        "strangers": 0,
        "low": 0,
        "high": 0,
        "unrated": 0,
    }
    assert (found["in_force"]["touched"], found["newly_touched"]) == (0, 6)
    told = " ".join(run(*arguments, "--in-force", "policy.toml").stdout.split())
    assert "touches 6 accounts, 0 that the policy in force does not" in told
    assert sorted(p.name for p in here.iterdir()) == before


def test_simulate_without_exchanges_says_what_it_could_not_try(run: Any, here: Path) -> None:
    """One plain request an account, and a note."""
    done = run("policy", "simulate", "policy.toml", "--on", "run")
    assert "20 exchanges of 20 accounts replayed" in done.stdout
    assert "note: no exchanges were given" in done.stdout


def test_as_written_keeps_the_modes(run: Any, here: Path) -> None:
    """A candidate in shadow touches nobody then."""
    Path("shadow.toml").write_text(
        HEAD.replace("enforce", "shadow") + rule("act", when='hint = ["act"]', action="hold")
    )
    arguments = ("policy", "simulate", "shadow.toml", "--on", "run", "--json")
    assert json.loads(run(*arguments).stdout)["candidate"]["touched"] == 6
    assert json.loads(run(*arguments, "--as-written").stdout)["candidate"]["touched"] == 0


def test_kill_takes_a_rule_out_and_puts_it_back(run: Any, here: Path) -> None:
    """A rule that the policy does not have is refused when the policy is named."""
    run("policy", "publish", "run", "--into", "gate")
    assert "switched off: act" in run("policy", "kill", "act", "--into", "gate").stdout
    assert "act (line 5): switched off" in run(
        "policy", "explain", "policy.toml", "--account", "m0", "--gate", "gate"
    ).stdout  # fmt: skip
    assert "switched off: none" in run("policy", "kill", "act", "--into", "gate", "--undo").stdout
    assert run("policy", "kill", "act", "--into", "gate", "--undo").exit_code == 2
    wrong = run("policy", "kill", "acct", "--into", "gate", "--policy", "policy.toml")
    assert (wrong.exit_code, "no rule acct" in wrong.stderr) == (2, True)
    assert run("policy", "kill", "act", "--into", "nowhere").exit_code == 2


def test_replay_makes_a_decision_again(run: Any, here: Path) -> None:
    """Exit status 0 when it is the same, 10 when it is not, 2 when there is none."""
    from stillwatch.records import Request

    run("policy", "publish", "run", "--into", "gate")
    with Gate.open("policy.toml", "gate") as gate:
        made = gate.decide(Request("r-1", "m0", "m-large"))
    done = run("decision", "replay", made.decision_id, "--gate", "gate")
    assert (done.exit_code, "replayed: the same decision" in done.stdout) == (0, True)
    assert (
        json.loads(run("decision", "replay", made.decision_id, "--gate", "gate", "--json").stdout)["same"]
        is True
    )
    log = Path("gate/decisions.jsonl")
    log.write_text(log.read_text().replace('"hint":"act"', '"hint":"none"'))
    changed = run("decision", "replay", made.decision_id, "--gate", "gate")
    assert (changed.exit_code, "different in" in changed.stdout) == (10, True)
    assert run("decision", "replay", "D-0", "--gate", "gate").exit_code == 2
    assert run("decision", "replay", "D-0", "--gate", "run").exit_code == 2


def test_publish_refuses_what_is_no_run(run: Any) -> None:
    """Before anything is written."""
    Path("empty").mkdir()
    done = run("policy", "publish", "empty", "--into", "gate")
    assert (done.exit_code, "campaigns.parquet is missing" in done.stderr) == (2, True)
    assert not Path("gate").exists()


def test_what_gates_are_given_enters_the_log(run: Any, here: Path) -> None:
    """Each switch anew, the table once; where the log cannot be written the switch is in force and it is told."""
    pytest.importorskip("cryptography", reason="pip install 'stillwatch[evidence]'")
    run("evidence", "key", "new", "Desk", "--role", "log")
    for _ in range(2):
        assert "warning" not in run("policy", "publish", "run", "--into", "gate").stderr
    for undo in ((), ("--undo",), ()):
        assert run("policy", "kill", "act", "--into", "gate", *undo).stderr == ""
    entries = b"".join(p.read_bytes() for p in Path("evidence/log/pending").iterdir())
    assert [entries.count(b'"kind":"%s"' % kind) for kind in (b"key", b"decision", b"policy")] == [1, 1, 3]
    assert b"act" not in entries
    Path("evidence/log/checkpoint").write_text("nonsense")
    told = run("policy", "kill", "act", "--into", "gate", "--undo")
    assert (told.exit_code, told.stdout) == (0, "switched off: none\n")
    assert "warning: it is in force, and not in the log of evidence: this is no signed note" in told.stderr
