"""The Parquet files of a run, asked page by page: nothing is loaded whole, so that a million accounts stay quick.

Every value that a person typed is a bound parameter, and a search is a plain substring, never a pattern: no text can
change a query or make it slow.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from stillwatch.errors import SourceError

MEMBER_SORTS = ("account_id", "tier", "membership_bits", "extraction_share", "exchange_count", "first_seen",
                "last_seen")  # fmt: skip
ACCOUNT_SORTS = ("account_id", "exchange_count", "disposition_hint")
_TIER = "CASE tier WHEN 'member' THEN 0 WHEN 'associated' THEN 1 ELSE 2 END"
_HINT = "CASE disposition_hint WHEN 'act' THEN 0 WHEN 'review' THEN 1 WHEN 'watch' THEN 2 ELSE 3 END"
_ORDER = {"tier": _TIER, "disposition_hint": _HINT}
_MOST_SEARCH = 200
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of rows, and how many there are in all."""

    rows: tuple[dict[str, Any], ...]
    total: int
    offset: int
    limit: int

    @property
    def last(self) -> int:
        """Number of the last row shown, counted from one."""
        return self.offset + len(self.rows)


class RunTables:
    """Members and accounts of one run folder; safe to use from several threads."""

    def __init__(self, folder: Path, *, threads: int = 2, memory_limit: str = "1GB") -> None:
        self._members, self._accounts = str(folder / "members.parquet"), str(folder / "accounts.parquet")
        for path in (self._members, self._accounts):
            if not Path(path).is_file():
                raise SourceError(
                    str(folder), f"{Path(path).name} is missing", hint="name the output folder of a scan"
                )
        self._engine = duckdb.connect()
        self._engine.execute(f"SET threads = {int(threads)}")
        self._engine.execute("SET memory_limit = ?", [memory_limit])
        self._engine.execute("SET TimeZone = 'UTC'")
        self._engine.execute("SET enable_progress_bar = false")
        self._lock = threading.Lock()

    def members(
        self, campaign_id: str, *, search: str = "", tier: str = "", sort: str = "tier", down: bool = False,
        offset: int = 0, limit: int = 50,
    ) -> Slice:  # fmt: skip
        """One page of a campaign's members."""
        where, values = self._member_where(campaign_id, search, tier)
        return self._slice(self._members, where, values, _order(sort, down, MEMBER_SORTS), offset, limit)

    def each_member(self, campaign_id: str, *, search: str = "", tier: str = "") -> Iterator[dict[str, Any]]:
        """Every member, in order of id, a few thousand at a time."""
        where, values = self._member_where(campaign_id, search, tier)
        with self._cursor() as cursor:
            cursor.execute(
                f"SELECT * FROM read_parquet(?) WHERE {where} ORDER BY account_id",  # noqa: S608  our words alone
                [self._members, *values],
            )
            names = [d[0] for d in cursor.description or ()]
            while rows := cursor.fetchmany(_BATCH):
                for row in rows:
                    yield dict(zip(names, row, strict=True))

    def tiers(self, campaign_id: str) -> dict[str, int]:
        """Members of a campaign by tier."""
        rows = self._ask(
            "SELECT tier, count(*) AS n FROM read_parquet(?) WHERE campaign_id = ? GROUP BY tier",
            [self._members, campaign_id],
        )
        return {row["tier"]: row["n"] for row in rows}

    def firm_bits(self, campaign_id: str) -> tuple[float, ...]:
        """Membership bits of a campaign's firm members, the lightest first."""
        rows = self._ask(
            "SELECT list_sort(list(membership_bits)) AS bits FROM read_parquet(?) WHERE campaign_id = ? AND "
            "tier = 'member'",
            [self._members, campaign_id],
        )
        return tuple(rows[0]["bits"] or ())

    def accounts(
        self, *, search: str = "", hint: str = "", sort: str = "disposition_hint", down: bool = False,
        offset: int = 0, limit: int = 50,
    ) -> Slice:  # fmt: skip
        """One page of all accounts that the run saw."""
        where, values = "true", []
        if search:
            where, values = "contains(lower(account_id), lower(?))", [search[:_MOST_SEARCH]]
        if hint:
            where += " AND disposition_hint = ?"
            values.append(hint)
        return self._slice(self._accounts, where, values, _order(sort, down, ACCOUNT_SORTS), offset, limit)

    def hints(self) -> dict[str, int]:
        """Accounts by disposition hint."""
        rows = self._ask(
            "SELECT disposition_hint AS hint, count(*) AS n FROM read_parquet(?) GROUP BY disposition_hint",
            [self._accounts],
        )
        return {row["hint"]: row["n"] for row in rows}

    def account(self, account_id: str) -> tuple[dict[str, Any] | None, tuple[dict[str, Any], ...]]:
        """The row of one account, None when the run did not see it, and its memberships."""
        if not _writable(account_id):
            return None, ()
        seen = self._ask("SELECT * FROM read_parquet(?) WHERE account_id = ?", [self._accounts, account_id])
        held = self._ask(
            "SELECT * FROM read_parquet(?) WHERE account_id = ? ORDER BY campaign_id LIMIT 50",
            [self._members, account_id],
        )
        return (seen[0] if seen else None), tuple(held)

    def tiers_of(self, campaign_id: str, accounts: list[str]) -> dict[str, str]:
        """The tier of each of a few members."""
        rows = self._ask(
            "SELECT account_id, tier FROM read_parquet(?) WHERE campaign_id = ? AND list_contains(?, account_id)",
            [self._members, campaign_id, [a for a in accounts if _writable(a)]],
        )
        return {row["account_id"]: row["tier"] for row in rows}

    def close(self) -> None:
        """Give the engine back."""
        self._engine.close()

    def _member_where(self, campaign_id: str, search: str, tier: str) -> tuple[str, list[Any]]:
        where, values = "campaign_id = ?", [campaign_id]
        if search:
            where += " AND contains(lower(account_id), lower(?))"
            values.append(search[:_MOST_SEARCH])
        if tier:
            where += " AND tier = ?"
            values.append(tier)
        return where, values

    def _slice(self, path: str, where: str, values: list[Any], order: str, offset: int, limit: int) -> Slice:
        if not all(_writable(v) for v in values):
            return Slice((), 0, 0, limit)
        found = self._ask(f"SELECT count(*) AS n FROM read_parquet(?) WHERE {where}", [path, *values])  # noqa: S608
        total = int(found[0]["n"])
        offset = max(0, min(offset, max(0, (total - 1) // limit * limit)))
        rows = self._ask(
            f"SELECT * FROM read_parquet(?) WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            [path, *values, limit, offset],
        )
        return Slice(tuple(rows), total, offset, limit)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            return self._engine.cursor()

    def _ask(self, query: str, values: list[Any]) -> list[dict[str, Any]]:
        with self._cursor() as cursor:
            cursor.execute(query, values)
            names = [d[0] for d in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _order(sort: str, down: bool, known: tuple[str, ...]) -> str:
    """An ORDER BY of known words; ties by account id, so that pages never overlap."""
    name = sort if sort in known else known[0]
    return f"{_ORDER.get(name, name)} {'DESC' if down else 'ASC'}, account_id ASC"


def _writable(value: Any) -> bool:
    """Whether the engine can take it: text with lone surrogates is nobody's id."""
    try:
        return not isinstance(value, str) or bool(value.encode("utf-8") or True)
    except UnicodeEncodeError:
        return False
