"""From a verdict to the next baseline: whom people found innocent counts as honest."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.detect.baseline import load_baseline
from tests.e2e.conftest import Run, World
from tests.e2e.driving import Ended, cli

pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[respond]'")
pytest.importorskip("alembic", reason="pip install 'stillwatch[respond]'")


def well(ended: Ended) -> Ended:
    """What ended as it should."""
    assert ended.status == 0, ended.err
    return ended


def test_a_verdict_of_false_positive_feeds_the_next_baseline(
    first: Run, world: World, tmp_path: Path, quick: Path
) -> None:
    """Its accounts are learnt from, and what they share counts as what honest accounts share; suspended ones do not."""
    store = f"sqlite:///{tmp_path / 'cases.db'}"
    settings = tmp_path / "s.toml"
    settings.write_text(quick.read_text() + f'\n[respond]\nstore = "{store}"\n')
    well(cli("respond", "init", "--admin", "root", "--settings", settings))
    well(cli("respond", "person", "ana", "--role", "analyst", "--as", "root", "--settings", settings))
    ana = ("--as", "ana", "--settings", settings)
    well(cli("case", "import", first.out, *ana))
    listed = json.loads(well(cli("case", "list", "--json", *ana)).out)["rows"]
    case = max((c for c in listed if c["kind"] == "campaign"), key=lambda c: c["account_count"])
    well(cli("case", "close", case["id"], "false_positive", "a class of a school", *ana))
    cleared = sorted(
        json.loads(line)["account_id"] for line in well(cli("case", "innocent", *ana)).out.splitlines()
    )
    assert len(cleared) == case["account_count"] > 2

    known = pq.read_table(world.accounts)
    held = [s if a != cleared[0] else "suspended"
            for a, s in zip(known["account_id"].to_pylist(), known["status"].to_pylist(), strict=True)]  # fmt: skip
    out = {
        a for a, s in zip(known["account_id"].to_pylist(), held, strict=True) if s in ("suspended", "banned")
    }
    learnt = len(set(cleared) - out)
    assert 2 < learnt < len(cleared)
    place = known.schema.get_field_index("status")
    pq.write_table(
        known.set_column(place, "status", pa.array(held, pa.string())), tmp_path / "accounts.parquet"
    )
    fit = ("baseline", "fit", world.logs, "--accounts", tmp_path / "accounts.parquet", "--name", "n", "--settings",
           quick)  # fmt: skip
    well(cli(*fit, "--out", tmp_path / "without"))
    made = well(cli(*fit, "--out", tmp_path / "with", "--honest-from", store, "--as", "ana", "--json"))
    told = json.loads(made.out)
    assert told["found_innocent"] == {
        "named": len(cleared), "in the input": len(cleared), "learnt from": learnt
    }  # fmt: skip
    assert f"{learnt} accounts found innocent" in told["source"]
    without, after = (
        load_baseline(tmp_path / name, told_key(tmp_path / name)) for name in ("without", "with")
    )
    assert without.units < after.units
    grown = [
        trait for trait, shares in after.shares.items()
        if trait not in without.shares or set(shares.values.tolist()) - set(without.shares[trait].values.tolist())
    ]  # fmt: skip
    assert grown, "what the cleared accounts share is nowhere in the reference"
    refused = cli(*fit, "--out", tmp_path / "no", "--honest-from", store, "--as", "nobody")
    assert (refused.status, "called nobody" in refused.err) == (2, True)
    assert not (tmp_path / "no").exists()


def told_key(path: Path) -> str:
    """The key that a baseline was made with."""
    from stillwatch.wiring.baseline import _made_with

    return _made_with(path)
