"""The loop as a user runs it: a campaign found, dyed, learnt from and named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stillwatch.cli import main

pytest.importorskip("cryptography")
pytest.importorskip("rfc8785")


def run(*args: str) -> Result:
    """The command line, in this process."""
    return CliRunner().invoke(main, list(args), prog_name="stillwatch")


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object], Result]:
    """One loop at reduced size."""
    out = tmp_path_factory.mktemp("loop") / "out"
    result = run(
        "demo", "dye", "--out", str(out), "--scenario", "smoke", "--answers", "200", "--json", "--quiet"
    )
    return out, json.loads((out / "dye.json").read_text("utf-8")), result


def test_the_campaign_is_named_and_innocents_are_cleared(
    loop: tuple[Path, dict[str, object], Result],
) -> None:
    """One student learnt from the campaign that the scan found, four did not; 64 keys are tried."""
    _, found, result = loop
    assert result.exit_code == 0, result.output
    students = found["students"]
    assert isinstance(students, list) and found["keys"] == 64 and found["keys_in_log"] == 65
    assert [len(one["campaigns"]) for one in students] == [1, 0, 0, 0, 0]
    guilty = students[0]
    assert guilty["evidence"] == "keyed" and guilty["campaigns"][0] in guilty["about"]
    assert all(len(claim["keys"]) == 64 and len(claim["controls"]) == 3 for claim in guilty["claims"])
    assert {claim["test"] for claim in guilty["claims"]} == {"radio-soft", "radio-closed", "radio-probes"}
    name = f"demo/campaign:{guilty['campaigns'][0]}"
    for claim in guilty["claims"]:
        assert {key["key_id"] for key in claim["keys"] if key["fired"]} <= {name}
    probed = next(claim for claim in guilty["claims"] if claim["test"] == "radio-probes")
    assert all(0 < key["exposure_share"] <= 1 for key in probed["keys"])
    assert json.loads(result.stdout)["as_expected"] is True


def test_no_key_leaves_desk_and_engine(loop: tuple[Path, dict[str, object], Result]) -> None:
    """Neither page nor JSON holds a key or the master."""
    from stillwatch.protect.dye import Master
    from stillwatch.protect.dye.issue import Subject, derived

    out, _, result = loop
    master = (out / "dye.master").read_text("ascii").strip()
    keys = [
        derived(
            Master.from_hex(master, "m"), Subject("earlier", f"campaign:earlier-{n}"), "sglang-gumbel", 2
        )[0]
        for n in range(1, 64)
    ]
    for text in (result.stdout, *(p.read_text("utf-8") for p in (out / "dye.json", out / "dye.html"))):
        assert master not in text and not [key for key in keys if str(key) in text]


def test_a_wrong_scenario_is_told_before_anything_is_written(tmp_path: Path) -> None:
    """The folder can be named again."""
    result = run("demo", "dye", "--out", str(tmp_path / "out"), "--scenario", "nope")
    assert result.exit_code == 2 and "no scenario nope" in result.output
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_there_is_left_alone(loop: tuple[Path, dict[str, object], Result]) -> None:
    """The second loop into the same folder is refused with what to do."""
    out, _, _ = loop
    again = run("demo", "dye", "--out", str(out))
    assert again.exit_code == 2 and "is not empty" in again.output and "new folder" in again.output
