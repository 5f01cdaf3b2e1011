"""Evidence as a user makes it: build from a run, sign, verify without stillwatch, run the detection again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch.wiring.evidence_inputs import differences
from tests.e2e.conftest import Run, World
from tests.e2e.driving import OTHER_KEY, Ended, cli


@pytest.fixture
def settings(tmp_path: Path, quick: Path) -> Path:
    """Settings of the run, with keys and log in the test's folder."""
    path = tmp_path / "s.toml"
    path.write_text(f'{quick.read_text()}\n[evidence]\nkeys = "{tmp_path}/keys"\nlog = "{tmp_path}/log"\n')
    return path


def good(ended: Ended) -> str:
    """Standard output of a command that worked."""
    assert ended.status == 0, ended.err
    return ended.out


def test_from_a_run_to_a_package_that_a_stranger_recomputes(
    first: Run, world: World, settings: Path, tmp_path: Path
) -> None:
    """Two people sign; the one file accepts it where stillwatch is not; the second run comes to every figure again."""
    common = ("--settings", settings)
    for person, role in (("A", "acquirer"), ("B", "reviewer"), ("Desk", "log")):
        good(cli("evidence", "key", "new", person, "--role", role, *common))
    package = tmp_path / "package"
    told = good(cli("evidence", "build", first.out, "--profile", "court", "--accounts", world.accounts, "--input",
                    world.logs, "--out", package, *common))  # fmt: skip
    assert "not sealed yet" in told
    assert "sealed" in good(cli("evidence", "sign", package, *common))
    keys = [arg for path in sorted((tmp_path / "keys").glob("*.pub")) for arg in ("--key", str(path))]
    assert "verified" in good(cli("evidence", "verify", package, *keys))
    blocked = "import sys, runpy; sys.modules['stillwatch'] = None; sys.argv = sys.argv[1:]; "
    blocked += "runpy.run_path(sys.argv[0], run_name='__main__')"
    run = [sys.executable, "-c", blocked, str(package / "data/verify_package.py"), str(package), *keys]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(good(cli("evidence", "recompute", package, "--json")))
    assert found["reproduced"]
    assert found["accounts"] >= 10
    other = cli("evidence", "recompute", package, key=OTHER_KEY)
    assert other.status == 2
    assert "digest key" in other.err
    whole = b"".join(p.read_bytes() for p in package.rglob("*") if p.is_file())
    prompts = {p for p in world.table().column("prompt").to_pylist() if p and len(p) > 40}
    assert not [p for p in sorted(prompts)[:500] if p.encode() in whole]


def test_a_second_run_that_differs_says_where(
    first: Run, world: World, settings: Path, tmp_path: Path
) -> None:
    """One figure, one account and one group that are not what the run says."""
    common = ("--settings", settings)
    good(cli("evidence", "key", "new", "A", "--role", "acquirer", *common))
    good(cli("evidence", "key", "new", "B", "--role", "reviewer", *common))
    package = tmp_path / "package"
    good(cli("evidence", "build", first.out, "--profile", "court", "--out", package, *common))
    campaigns, members, findings = (
        json.loads((package / f"data/exhibits/{name}.json").read_bytes())
        for name in ("campaigns", "members", "findings")
    )
    assert differences(first.out, campaigns, members, findings) == []
    campaigns[0]["extraction_share"] += 0.001
    share = campaigns[0]["campaign_id"]
    assert differences(first.out, campaigns, members, findings) == [
        f"campaign {share}: extraction_share differs"
    ]
    del campaigns[0]["extraction_share"]
    assert differences(first.out, campaigns, members, findings) == [
        f"campaign {share}: extraction_share differs"
    ]
    found = differences(first.out, [], members[1:], findings[1:])
    assert [text.split(":")[0] for text in found] == ["the accounts differ", "the findings differ"]
    findings[0]["effect"] += 0.5
    assert differences(first.out, campaigns[1:], [], findings)[-1].startswith("the findings differ")
    campaigns[0]["campaign_id"] = "G-0"
    assert differences(first.out, campaigns, members, findings)[0] == "campaign G-0 was not found again"
    told = cli("evidence", "recompute", package)
    assert told.status == 2
    assert "no inputs were preserved" in told.err


def test_a_package_of_a_case_is_recomputed(first: Run, world: World, settings: Path, tmp_path: Path) -> None:
    """Built with the folder of the scan and its logs: two people sign, it verifies, and a second run comes to the one
    group of the case; under another key it does not. A report for government is filled from it too."""
    settings.write_text(f'{settings.read_text()}[respond]\nstore = "sqlite:///{tmp_path}/cases.db"\n')
    common = ("--settings", settings)
    for person, role in (("A", "acquirer"), ("B", "reviewer")):
        good(cli("evidence", "key", "new", person, "--role", role, *common))
    good(cli("respond", "init", "--admin", "ana", *common))
    good(cli("case", "import", first.out, "--as", "ana", *common))
    facts = tmp_path / "gov.toml"
    facts.write_text(
        'owner = "Example Laboratory"\nrecipient = "Bureau of Industry and Security"\nsigned_by = "A"\n'
    )
    good(cli("share", "report", "K-1", "--run", first.out, "--as", "ana", "--for", "assessment", "--facts", facts,
             "--out", tmp_path / "to-commerce", *common))  # fmt: skip
    told = json.loads((tmp_path / "to-commerce/report.json").read_bytes())
    assert {"methods", "attempts", "detection"} <= {s["id"] for s in told["sections"] if s["lines"]}
    package = tmp_path / "package"
    good(cli("evidence", "build", "K-1", "--run", first.out, "--as", "ana", "--profile", "court",
             "--accounts", world.accounts, "--input", world.logs, "--out", package, *common))  # fmt: skip
    good(cli("evidence", "sign", package, *common))
    keys = [arg for path in sorted((tmp_path / "keys").glob("*.pub")) for arg in ("--key", str(path))]
    assert "verified" in good(cli("evidence", "verify", package, *keys))
    (campaign,) = json.loads((package / "data/exhibits/campaigns.json").read_bytes())
    found = json.loads(good(cli("evidence", "recompute", package, "--json")))
    assert (found["reproduced"], found["campaigns"]) == (True, 1)
    assert found["accounts"] == campaign["account_count"]
    other = cli("evidence", "recompute", package, key=OTHER_KEY)
    assert (other.status, "digest key" in other.err) == (2, True)
