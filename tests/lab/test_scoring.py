"""The score of a scan against sealed truth."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.lab import score
from stillwatch.lab.scenario import CampaignSpec
from stillwatch.lab.scoring import upper_bound
from tests.lab.conftest import Make, Written


@pytest.fixture(scope="module")
def world(make: Make) -> Written:
    """One campaign among ordinary accounts."""
    return make(
        ordinary=200,
        campaigns=(CampaignSpec(variant="code", accounts=20, exchanges_per_account=30, ban_share=0.0),),
    )


def _tables(world: Written, wrong: int = 0, split: bool = False) -> tuple[pa.Table, pa.Table, pa.Table]:
    truth = pq.read_table(world.folder / "truth" / "accounts.parquet").to_pylist()
    members = [r["account_id"] for r in truth if r["campaign_id"]]
    honest = [r["account_id"] for r in truth if not r["campaign_id"] and r["exchanges"] > 0][:wrong]
    named = [("g1" if split and i % 2 else "g0", a) for i, a in enumerate(members)] + [
        ("g0", a) for a in honest
    ]
    rows = pa.table(
        {
            "campaign_id": [g for g, _ in named],
            "account_id": [a for _, a in named],
            "tier": ["member"] * len(named),
        }
    )
    flagged = {a for _, a in named}
    hints = pa.table(
        {
            "account_id": [r["account_id"] for r in truth],
            "disposition_hint": ["act" if r["account_id"] in flagged else "none" for r in truth],
        }
    )
    groups = sorted({g for g, _ in named})
    return rows, hints, pa.table({"campaign_id": groups, "kind": ["campaign"] * len(groups)})


def test_a_perfect_scan_scores_perfectly(world: Written) -> None:
    """Full recall, pure, one fragment, no false positives; the bound is still above zero."""
    result = score(world.folder / "truth", *_tables(world))
    assert (result["recall"], result["purity"], result["fragments_mean"]) == (1.0, 1.0, 1.0)
    assert result["campaigns_detected"] == 1
    assert result["classes"]["ordinary"]["fpr"] == 0
    assert 0 < result["classes"]["ordinary"]["fpr_upper"] < 0.03


def test_errors_and_fragments_are_seen(world: Written) -> None:
    """Wrong accounts lower purity and raise the class's rates; a split campaign has two fragments."""
    result = score(world.folder / "truth", *_tables(world, wrong=5, split=True))
    assert result["classes"]["ordinary"]["member"] == 5
    assert result["classes"]["ordinary"]["orgs_act"] == 5
    assert result["purity"] == pytest.approx(20 / 25)
    assert result["fragments_mean"] == 2


def test_an_empty_scan_scores_zero(world: Written) -> None:
    """Nothing found is recall zero and no purity."""
    empty = pa.table(
        {
            "campaign_id": pa.array([], pa.string()),
            "account_id": pa.array([], pa.string()),
            "tier": pa.array([], pa.string()),
        }
    )
    hints = pa.table({"account_id": pa.array([], pa.string()), "disposition_hint": pa.array([], pa.string())})
    result = score(
        world.folder / "truth",
        empty,
        hints,
        pa.table({"campaign_id": pa.array([], pa.string()), "kind": pa.array([], pa.string())}),
    )
    assert result["recall"] == 0.0
    assert result["purity"] is None


def test_the_bound_is_clopper_pearson() -> None:
    """0 of 29,956 bounds the rate at one in ten thousand; everything wrong bounds it at one."""
    assert upper_bound(0, 29_956) == pytest.approx(1e-4, rel=1e-3)
    assert upper_bound(3, 3) == 1.0
