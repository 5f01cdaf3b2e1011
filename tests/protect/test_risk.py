"""The risk table says of each account what the run says, and is mapped, not read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.errors import SourceError
from stillwatch.protect.risk import ROW, RiskTable, account_digest, empty_table, in_pieces
from stillwatch.protect.risk_build import DTYPE, build, write_table
from stillwatch.records import NOBODY
from stillwatch.wiring.runs import compile_run
from tests.protect.making import write_run


def test_every_account_of_a_run_is_found_as_the_run_has_it(tmp_path: Path) -> None:
    """Members with their group, the others as nobody, through the file."""
    table, refused = compile_run(write_run(tmp_path / "run"))
    assert refused == []
    write_table(table, tmp_path / "risk.arrow")
    found = RiskTable.open(tmp_path / "risk.arrow")
    for i in range(6):
        s = found.standing(f"m{i}")
        assert (s.tier, s.kind, s.hint, s.confidence) == ("member", "campaign", "act", "high")
        assert s.families == ("timing", "identity"), "families from ten bits on"
        assert (s.campaign_id, s.membership_bits) == ("G-1", 30.0)
        assert s.extraction_share == pytest.approx(0.6)
        assert s.false_discovery_rate == pytest.approx(0.01)
    assert all(found.standing(f"o{i}") == NOBODY for i in range(14))
    assert found.standing("m6") == NOBODY


def test_the_account_table_and_grants_ride_along(tmp_path: Path) -> None:
    """Verification, plan and programme of accounts that the scan never saw; grants with their times."""
    accounts, grants = tmp_path / "accounts.jsonl", tmp_path / "grants.toml"
    accounts.write_text(
        '{"account_id":"new","verification":"card","plan":"pro"}\n{"account_id":"m0","plan":"free"}\n'
    )
    grants.write_text(
        '[[grant]]\ngrant_id = "g"\naccount_id = "m0"\nvalid_from = 2026-01-01\nvalid_until = 2027-01-01\n'
    )
    run = write_run(tmp_path / "run")
    found = RiskTable(compile_run(run, [str(accounts)], str(grants))[0])
    assert (found.standing("new").verification, found.standing("new").plan) == ("card", "pro")
    assert (found.standing("m0").plan, found.standing("m0").tier) == ("free", "member")
    assert found.grants[0]["valid_from"].startswith("2026-01-01T00:00:00")
    assert found.run_digest != RiskTable(compile_run(run)[0]).run_digest


def test_equal_runs_give_equal_tables(tmp_path: Path) -> None:
    """Byte for byte, so that a digest means something."""
    files = []
    for name in ("a", "b"):
        write_table(compile_run(write_run(tmp_path / name))[0], tmp_path / f"{name}.arrow")
        files.append((tmp_path / f"{name}.arrow").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("harm", ["missing", "empty", "cut", "other", "no run"])
def test_a_damaged_table_is_refused(tmp_path: Path, harm: str) -> None:
    """With a hint; never a table that says nothing of anybody."""
    path = tmp_path / "risk.arrow"
    if harm == "no run":
        with pytest.raises(SourceError, match=r"campaigns\.parquet is missing"):
            compile_run(tmp_path)
        return
    if harm != "missing":
        write_table(compile_run(write_run(tmp_path / "run"))[0], path)
        whole = path.read_bytes()
        other = pa.BufferOutputStream()
        with pa.ipc.new_file(other, pa.schema([("a", pa.int64())])) as file:
            file.write_table(pa.table({"a": [1]}))
        path.write_bytes(
            {"empty": b"", "cut": whole[: len(whole) // 2], "other": other.getvalue().to_pybytes()}[harm]
        )
    with pytest.raises(SourceError) as caught:
        RiskTable.open(path)
    assert caught.value.hint


def test_many_accounts_cost_few_bytes_and_are_all_found() -> None:
    """About fifty bytes an account: a million stay far below 200 MB."""
    n = 20_000
    accounts = pa.table({"account_id": [f"a{i}" for i in range(n)], "campaign_id": ["G-0123456789"] * n,
                         "disposition_hint": ["review"] * n})  # fmt: skip
    members = accounts.select(["account_id", "campaign_id"])
    for name, value in (("tier", "member"), ("membership_bits", 20.0), ("extraction_share", 0.5)):
        members = members.append_column(name, pa.array([value] * n))
    groups = pa.table({"campaign_id": ["G-0123456789"], "kind": ["pool"], "confidence": ["low"],
                       "false_discovery_rate": [0.1]})  # fmt: skip
    found = RiskTable(build(groups, members, accounts, run_digest="ab" * 32))
    assert len(found) == n
    assert found.nbytes / n < 60
    assert all(found.standing(f"a{i}").kind == "pool" for i in range(0, n, 97))
    assert all(found.standing(f"b{i}") == NOBODY for i in range(500))


def test_an_account_in_two_groups_stands_as_the_accounts_table_has_it() -> None:
    """And the same whatever the order of the members."""
    rows = [{"account_id": "a", "campaign_id": c, "tier": t, "membership_bits": 1.0, "extraction_share": 0.1}
            for c, t in (("G-1", "watch"), ("G-2", "member"))]  # fmt: skip
    groups = pa.Table.from_pylist([{"campaign_id": c, "kind": "pool"} for c in ("G-1", "G-2")])
    accounts = pa.table({"account_id": ["a"], "campaign_id": ["G-2"], "disposition_hint": ["watch"]})
    for order in (rows, rows[::-1]):
        found = RiskTable(build(groups, pa.Table.from_pylist(order), accounts, run_digest="00"))
        assert found.standing("a").tier == "member"
        assert found.standing("a").false_discovery_rate == 1.0, "no stated rate is no comfort"


def test_a_list_is_read_item_by_item() -> None:
    """A million grants hold no other thread up; what is no list is refused."""
    values: list[Any] = [1, "a],", {"b": [None, "\u00e9"]}, [], "", 2.5]
    for text in (json.dumps(values), json.dumps(values, indent=2), " [ ] ", "[]"):
        assert list(in_pieces(text)) == json.loads(text)
    pieces = in_pieces("[1, 2, x]")
    assert [next(pieces), next(pieces)] == [1, 2]
    for text in ("", "{}", "[1", "[1 2]", "[1,]", "[,]", "null"):
        with pytest.raises(ValueError, match=r"."):
            list(in_pieces(text))


def test_the_file_of_a_table_is_closed_once_nobody_holds_the_table(tmp_path: Path) -> None:
    """And not before: whoever looks something up in it goes on."""
    path = tmp_path / "risk.arrow"
    write_table(compile_run(write_run(tmp_path / "run"))[0], path)
    found: RiskTable | None = RiskTable.open(path)
    assert found is not None
    mapping = found.mapping
    assert mapping is not None
    with pytest.raises(BufferError):
        mapping.close()
    assert found.standing("m0").tier == "member"
    found = None
    mapping.close()
    assert mapping.closed


def test_two_descriptions_of_a_row_agree() -> None:
    """The packed row as it is written is the row as it is read."""
    row = np.zeros(1, DTYPE)
    row["tier"], row["plan"], row["bits"], row["rate"] = 1, 513, 2.5, 0.25
    assert ROW.unpack(row.tobytes()) == (1, 0, 0, 0, 0, 0, 513, 0, 2.5, 0.0, 0.25)


def test_digests_depend_on_the_run() -> None:
    """An id that collides in one table does not in the next."""
    assert account_digest("a", b"1" * 16) != account_digest("a", b"2" * 16)
    assert account_digest("\ud800", b"") != account_digest("?", b"")
    assert empty_table().standing("a") == NOBODY
