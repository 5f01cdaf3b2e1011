"""What each verb asks of the wiring, and where its answer goes."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from stillwatch.cli import main
from stillwatch.records import Abstention
from stillwatch.settings import load_settings
from tests.cli.stub import a_campaign, a_result


def test_scan_hands_everything_over(run, stub) -> None:
    """Each option arrives under the wiring's own name."""
    run(
        "scan", "a.jsonl", "b/", "--accounts", "x.parquet", "--accounts", "y.parquet", "--grants", "g.toml",
        "--releases", "r.toml", "--client-releases", "c.toml", "--baseline", "b.parquet", "-f", "litellm",
        "--mapping", "m.toml", "--out", "o", "--overwrite", "--key-file", "k", "--check-null", "7", "-q",
        "--since", "2026-11-20", "--until", "2026-11-21T06:00:00", "--memory-limit", "3GB",
    )  # fmt: skip
    _, args, given = stub.calls[0]
    assert args == (("a.jsonl", "b/"),)
    assert given["settings"].privacy.key_file == "k"
    assert given["settings"].run.memory_limit == "3GB"
    assert {
        name: given[name] for name in given if name not in ("settings", "progress", "env", "profiled")
    } == {
        "out": Path("o"),
        "accounts": ("x.parquet", "y.parquet"),
        "grants": "g.toml",
        "releases": "r.toml",
        "client_releases": "c.toml",
        "baseline": "b.parquet",
        "format": "litellm",
        "mapping": Path("m.toml"),
        "overwrite": True,
        "check_null": 7,
        "since": datetime(2026, 11, 20, tzinfo=UTC),
        "until": datetime(2026, 11, 21, 6, tzinfo=UTC),
        "stdin": None,
    }


def test_check_null_may_stand_before_a_path(run, stub) -> None:
    """Only a number after it is its value."""
    run("scan", "--check-null", "logs")
    assert (stub.calls[0][1], stub.last["check_null"]) == ((("logs",),), 20)
    run("scan", "logs", "--check-null")
    assert stub.last["check_null"] == 20
    run("scan", "--check-null", "3", "logs")
    assert stub.last["check_null"] == 3
    run("scan", "logs")
    assert stub.last["check_null"] == 0


def test_a_dash_reads_standard_input(run, stub) -> None:
    """And only once."""
    seen: list[bytes] = []
    stub.progress = lambda told: seen.append(stub.last["stdin"].read())
    run("scan", "-", input=b"{}\n")
    assert seen == [b"{}\n"]
    assert run("scan", "-", "-").exit_code == 2


def test_json_is_alone_on_standard_output(run, stub) -> None:
    """A program reads the summary; people read standard error."""
    stub.answers["scan"] = a_result(("review",), (a_campaign(),), name="caf\u00e9 \x1b[1m")
    stub.progress = lambda told: (told.step("reading", 10.0), told.note("two formats"))
    result = run("scan", "logs", "--json")
    assert json.loads(result.stdout) == stub.answers["scan"].summary
    assert result.stdout.isascii()
    assert "reading" in result.stderr
    assert "note: two formats" in result.stderr


def test_quiet_says_nothing(run, stub) -> None:
    """Neither progress nor summary; with --json only the JSON."""
    stub.progress = lambda told: (told.step("reading"), told.advance(1), told.note("x"))
    assert run("scan", "logs", "-q").output == ""
    assert run("scan", "logs", "-q", "--json").stderr == ""


def test_the_summary_tells_what_was_found_and_what_could_not_be_seen(run, stub) -> None:
    """One screen: counts, campaigns, caveats, where the report is, what the status means."""
    stub.answers["scan"] = a_result(
        ("review",),
        (a_campaign(), a_campaign(campaign_id="C-2", p_value=None, granted=True)),
        (
            Abstention("handoff", "no digests of outputs", ("output_digests",)),
            Abstention("payment", "unused", subject="a1"),
        ),
        formats={"litellm": 12},
        rejected={"no account_id": 3},
        null_check=[{"run": 1, "discoveries": 0}],
    )
    out = run("scan", "logs", "--out", "o").stdout
    for text in (
        "340,000",
        "litellm 12",
        "no account_id 3",
        "C-1",
        "1,200",
        "41.2",
        "0.0042",
        "62% (55-70)",
        "too few",
        "campaign (granted)",
        "could not see:",
        "handoff: no digests of outputs (missing: output_digests)",
        "Null check",
        "discoveries",
        "report: o/report.html",
        "exit status 10",
    ):
        assert text in out, text
    assert "unused" not in out


def test_the_summary_fits_a_narrow_terminal() -> None:
    """In 80 columns no id and no figure is cut."""
    from rich.console import Console

    from stillwatch.cli.summary import campaigns_table

    screen = Console(width=80, record=True, file=io.StringIO())
    screen.print(campaigns_table([a_campaign(campaign_id="C-3f9a1c", account_count=24_000, granted=True)]))
    text = screen.export_text()
    assert "…" not in text
    assert "C-3f9a1c" in text


def test_no_campaign_is_not_called_clean(run, stub) -> None:
    """A null result is "nothing found", never "clean"."""
    out = run("scan", "logs").stdout
    assert "No pools or campaigns." in out
    assert "not proof of absence" in out


def test_ingest(run, stub) -> None:
    """Features go to a file; the counts are shown."""
    stub.answers["ingest"] = {"exchanges": 5, "rejected": 1}
    result = run("ingest", "logs", "-o", "f.parquet", "--json")
    assert json.loads(result.stdout) == {"exchanges": 5, "rejected": 1}
    assert stub.last["out"] == Path("f.parquet")
    assert "rejected" in run("ingest", "logs", "-o", "f.parquet").stdout


def test_baseline(run, stub) -> None:
    """Fitting is dated and named; the built-in baseline is shown without a file."""
    stub.answers |= {
        "fit_baseline": {"accounts": 9},
        "show_baseline": {"name": "built-in", "traits": {"a": [1]}},
    }
    run("baseline", "fit", "logs", "--name", "2026-03", "--as-of", "2026-03-31", "-o", "b.parquet")
    assert (stub.last["name"], stub.last["as_of"]) == ("2026-03", date(2026, 3, 31))
    assert "built-in" in run("baseline", "show").stdout
    assert stub.calls[-1][1] == (None,)


def test_lab(run, stub, tmp_path) -> None:
    """Generate, list, score."""
    stub.answers |= {
        "list_scenarios": [{"id": "demo_day", "title": "One day"}],
        "lab_score": {"recall": 0.9},
    }
    run("lab", "generate", "demo_day", "--seed", "3", "--scale", "0.5", "-o", "t")
    assert stub.calls[-1][1][:4] == ("demo_day", 3, 0.5, Path("t"))
    assert "demo_day" in run("lab", "scenarios").stdout
    assert json.loads(run("lab", "score", str(tmp_path), str(tmp_path), "--json").stdout) == {"recall": 0.9}


def test_lab_score_takes_the_truth_once(run, stub, tmp_path) -> None:
    """As an option or as the second argument; both or neither is a slip; purpose and ledgers are handed on."""
    stub.answers["lab_score"] = {"recall": 0.9}
    here = str(tmp_path)
    run("lab", "score", here, "--truth", here, "--purpose", "tune", "--ledger", "l.jsonl")
    assert stub.calls[-1][1] == (tmp_path, tmp_path)
    assert stub.last == {"purpose": "tune", "ledgers": (Path("l.jsonl"),)}
    other = tmp_path / "other"
    other.mkdir()
    for slip in (("lab", "score", here), ("lab", "score", here, here, "--truth", str(other))):
        told = run(*slip)
        assert told.exit_code == 2
        assert "truth" in told.stderr


def test_lab_run(run, stub) -> None:
    """Options reach the wiring; a cell that failed shows in the exit status."""
    stub.answers |= {
        "lab_run": {"rows": [], "failed": []},
        "list_suites": [{"id": "smoke", "title": "A minute"}],
    }
    command = "mine=python mine.py {traffic} {out}"
    told = run(
        "lab",
        "run",
        "smoke",
        "-o",
        "r",
        "-d",
        "stillwatch",
        "--detector-command",
        command,
        "-j",
        "2",
        "--json",
    )
    assert told.exit_code == 0
    assert json.loads(told.stdout) == {"rows": [], "failed": []}
    assert stub.calls[-1][1] == ("smoke", Path("r"))
    assert stub.last["detectors"] == ("stillwatch",)
    assert stub.last["commands"] == (command,)
    assert (stub.last["jobs"], stub.last["purpose"]) == (2, "report")
    failed = {"detector": "mine", "scenario": "demo_day", "seed": 11, "error": "ended with status 1"}
    stub.answers["lab_run"] = {"rows": [], "failed": [failed | {"hint": "run it by hand"}, failed]}
    for options in ([], ["--quiet"], ["--json"]):
        told = run("lab", "run", "smoke", "-o", "r", *options)
        assert told.exit_code == 1
        assert told.stderr.count("ended with status 1") == 2, "an error is said when progress is not"
        assert told.stderr.count("hint: run it by hand") == 1
    assert "smoke" in run("lab", "suites").stdout


def test_lab_open_and_detect_time(run, stub, tmp_path) -> None:
    """Opening goes to the wiring with its ledgers; looks may be shares or hours."""
    stub.answers |= {"lab_open": {"accounts": 3}, "lab_detect_time": {"campaigns": []}}
    assert "tuning" in run("lab", "open", str(tmp_path), "-o", "answers").stdout
    assert stub.calls[-1][1] == (tmp_path, Path("answers"))
    told = run("lab", "detect-time", str(tmp_path), "--share", "0.1", "--hours", "6", "--json", "-q")
    assert json.loads(told.stdout) == {"campaigns": []}
    assert (stub.last["shares"], stub.last["hours"], stub.last["command"]) == ((0.1,), (6.0,), None)
    looks = [{"honest_members": {"hits": hits, "total": 40}} for hits in (1, 3)]
    found = {"standing": {"note": "held out"}, "looks": looks, "campaigns": []}
    stub.answers["lab_detect_time"] = found
    told = run("lab", "detect-time", str(tmp_path)).stdout
    assert "1 of 40 at the first look, 3 of 40 at the last of 2" in told, "what an early verdict cost"
    stub.answers["lab_detect_time"] = found | {"looks": []}
    assert "nothing was looked at" in run("lab", "detect-time", str(tmp_path)).stdout


def test_lab_searches_and_fit(run, stub, tmp_path) -> None:
    """Budgets reach the wiring; what was found on fresh worlds is said in words."""
    point = {"trial": 3, "cost_per_exchange_usd": 0.25, "taken_per_day": 1200.0, "share_under": 1.0,
             "share_under_interval": [0.63, 1.0]}  # fmt: skip
    point |= {"worlds": 8, "worlds_under": 8, "held": True}
    frontier = {
        "trials": 9, "trials_under": 4, "search_worlds": [2], "report_worlds": [3, 4], "frontier": [point],
        "retried": [point, point | {"trial": 5, "taken_per_day": 900.0}],
        "random_under_interval": [0.0, 0.52],
    }  # fmt: skip
    stub.answers |= {"lab_search": frontier}
    told = run("lab", "evasion", "-o", "f", "--random", "5", "--guided", "4", "--minutes", "2", "--seed", "8")
    assert "1,200 exchanges a day" in told.stdout and "63%" in told.stdout
    assert "2 held, 1 of them beaten" in " ".join(told.stdout.split()), (
        "why one of two that held is not shown"
    )
    assert "frontier.json has what each setting was" in told.stdout
    assert stub.calls[-1][1] == ("evasion", Path("f"))
    assert (stub.last["random_trials"], stub.last["guided_trials"], stub.last["minutes"]) == (5, 4, 2.0)
    stub.answers["lab_search"] = frontier | {"frontier": []}
    told = run("lab", "evasion", "-o", "f")
    assert "not found in 9 trials" in told.stdout
    best = {
        "cost_usd": 900.0, "trial": 2, "worlds": 8, "worlds_with_a_victim_framed": 3, "worlds_interval": [0.09, 0.76],
    }  # fmt: skip
    levels = {"review": {"cheapest": best}, "act": {"cheapest": None, "random_found_interval": [0.0, 0.34]}}
    stub.answers["lab_search"] = {"trials": 9, "search_worlds": [2], "report_worlds": [3], "levels": levels}
    told = run("lab", "framing", "-o", "f")
    assert "from $900" in told.stdout and "3 of 8" in told.stdout and "76%" in told.stdout
    assert "not found in 9 trials" in told.stdout and "34%" in told.stdout
    assert "never" not in told.stdout and "impossible" not in told.stdout
    assert stub.calls[-1][1] == ("framing", Path("f"))
    stub.answers["lab_fit"] = [{"measure": "volumes", "trace": "servegen", "distance": 0.1}]
    assert "servegen" in run("lab", "fit", str(tmp_path), "--traces", str(tmp_path), "-o", "o").stdout


@pytest.mark.parametrize(
    "verb", ["generate", "score", "open", "run", "detect-time", "evasion", "framing", "fit"]
)
def test_lab_verbs_have_examples(run, verb) -> None:
    """Help ends with lines that can be copied."""
    assert f"stillwatch lab {verb}" in run("lab", verb, "--help").stdout.split("Examples:")[1]


def test_traits_and_formats(run, stub) -> None:
    """Lists for people and for programs; a wrong id gets a hint."""
    row = {
        "id": "template",
        "family": "content",
        "title": "Prompt template",
        "needs": ["prompt"],
        "page": "p.md",
    }
    stub.answers |= {"list_traits": [row], "list_formats": [{"id": "otlp", "title": "OpenTelemetry"}]}
    assert "Prompt template" in run("traits").stdout
    assert json.loads(run("traits", "--json").stdout) == [row]
    assert "p.md" in run("traits", "show", "template").stdout
    wrong = run("traits", "show", "templat")
    assert (wrong.exit_code, "did you mean template?" in wrong.stderr) == (2, True)
    assert "otlp" in run("formats").stdout


def test_a_new_key_is_private_and_never_replaces_one(run) -> None:
    """Mode 600 from the first moment; the file is not overwritten."""
    assert run("key", "new", "--out", "sub/k").exit_code == 0
    path = Path("sub/k")
    first = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(first)) == 32
    again = run("key", "new", "--out", "sub/k")
    assert again.exit_code == 2
    assert path.read_text() == first
    assert first.strip() not in again.output


def test_a_new_key_on_standard_output_is_the_key_alone(run) -> None:
    """So that it can be put into a variable."""
    assert len(bytes.fromhex(run("key", "new").stdout)) == 32


def test_settings_show_is_a_settings_file(run) -> None:
    """What is printed can be read back; the digest is one line."""
    Path("s.toml").write_text("[detect]\nkappa = 4.0\n")
    Path("t.toml").write_text(run("settings", "show", "--settings", "s.toml").stdout)
    assert load_settings(Path("t.toml")).detect.kappa == 4.0
    assert json.loads(run("settings", "show", "--json").stdout)["detect"]["kappa"] == 3.0
    assert len(run("settings", "show", "--digest").stdout.strip()) == 64


def test_version(run) -> None:
    """Short for people; with the engines for programs."""
    assert run("version").stdout == run("--version").stdout
    assert "duckdb" in json.loads(run("version", "--json").stdout)["engines"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(run, shell) -> None:
    """A script for each shell, and the verbs it would offer."""
    script = run("completion", shell).stdout
    assert "_STILLWATCH_COMPLETE" in script
    assert "complete" in script
    offered = run(
        env={"_STILLWATCH_COMPLETE": "bash_complete", "COMP_WORDS": "stillwatch s", "COMP_CWORD": "1"}
    )
    assert "plain,scan" in offered.stdout


def test_root_help_reads_well(run) -> None:
    """Grouped verbs, examples, nothing wider than the screen or cut off."""
    text = run("--help").stdout
    headings = [line.rstrip(":") for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == [
        "Options",
        "Detect",
        "Protect",
        "Respond",
        "Share",
        "Best practice",
        "Prove",
        "Prepare",
        "Look up",
        "Try out",
        "About",
        "Examples",
    ]
    assert "stillwatch key new --out stillwatch.key" in text
    assert "..." not in text.replace("[ARGS]...", "")


def every_command() -> list[tuple[str, ...]]:
    """The path of every verb and sub-verb."""
    paths: list[tuple[str, ...]] = []
    for name, verb in main.commands.items():
        paths.append((name,))
        paths += [(name, sub) for sub in getattr(verb, "commands", {})]
    return paths


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_every_verb_explains_itself(run, path) -> None:
    """A sentence, and every option with help; examples are copied as they stand."""
    text = run(*path, "--help").stdout
    assert text.startswith(f"Usage: stillwatch {' '.join(path)}")
    before_examples, *examples = text.split("Examples:")
    assert examples or "Commands:" in text
    assert max(map(len, before_examples.splitlines())) <= 80


def test_help_answers_at_once() -> None:
    """Nothing heavy is imported for --help; the clock is generous, the module list is not."""
    code = (
        "import sys; from stillwatch.cli import main\n"
        "try: main(['scan', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'duckdb', 'pyarrow', 'numpy', 'numba', 'pydantic', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert time.perf_counter() - start < 3.0


def test_a_run_enters_the_log_when_one_is_kept(run, stub) -> None:
    """A failure is a warning and changes nothing else; with --log it is an error; --no-log leaves the run out."""
    from stillwatch.errors import ConfigError

    assert "log of evidence" not in run("scan", "logs", "--out", "o").stderr
    stub.answers["log_is_kept"] = True
    stub.answers["log_run"] = {"index": 7, "findings": 1}
    told = run("scan", "logs", "--out", "o")
    assert "logged: leaf 7 of the log of evidence is this run; 1 finding before it" in told.stderr
    assert "log of evidence" not in run("scan", "logs").stderr, "it is not written"
    status = run("scan", "logs", "--out", "o", "--no-log").exit_code
    assert stub.calls[-1][0] == "scan"
    stub.answers["log_run"] = ConfigError("another process is writing into log", hint="wait")
    told = run("scan", "logs", "--out", "o", "--quiet")
    assert told.exit_code == status
    assert (
        "warning: the run is not in the log of evidence: another process is writing into log" in told.stderr
    )
    assert "hint: the run is in o; log it with `stillwatch evidence log add run o`" in told.stderr
    told = run("scan", "logs", "--out", "o", "--log")
    assert (told.exit_code, "error: the run is not in the log of evidence" in told.stderr) == (2, True)
    stub.answers["must_log"] = ConfigError("no log is kept: it has no key", hint="make one")
    assert run("scan", "logs", "--out", "o", "--log").exit_code == 2
    assert stub.calls[-1][0] == "must_log", "nothing was scanned"
