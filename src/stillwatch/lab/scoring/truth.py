"""Who controls what in a world: the truth, as the scorer needs it.

Three kinds of accounts are told apart. *Extractors* are accounts of a campaign that sent extraction: they should
be found. *Honest* accounts belong to no campaign and no planted pool: they should be left alone. The *others*
(accounts of a planted pool, and accounts of a campaign that sent only cover traffic) count neither way.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Counts = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Truth:
    """One world's truth, one entry per account that sent anything, in order of account id."""

    ids: tuple[str, ...]
    org: tuple[str, ...]
    """Organisation."""
    controller: tuple[str, ...]
    """Who decides what the account does: a course is no controller of its students. The organisation where the world
    does not say."""
    kind: tuple[str, ...]
    """Class of honest account, or of attacker."""
    campaign: tuple[str | None, ...]
    """Campaign or planted pool; None for honest accounts."""
    extractor: Flags
    """bool[accounts]: account of a campaign (not of a pool) that sent extraction."""
    exchanges: Counts
    extraction: Counts
    """int[accounts]: exchanges sent, and those of them that served extraction."""
    replaces: tuple[str | None, ...]
    """Account that this one was opened to replace, where the world says so."""
    silent: frozenset[str]
    """Accounts that exist and sent nothing: nobody can be judged by them."""
    campaigns: tuple[Mapping[str, Any], ...]
    """Campaigns and planted pools as the world describes them."""

    @property
    def honest(self) -> Flags:
        """bool[accounts]: belongs to no campaign and no pool."""
        return np.array([c is None for c in self.campaign], dtype=np.bool_)

    @property
    def attacks(self) -> frozenset[str]:
        """Ids of campaigns; planted pools are left out."""
        return frozenset(str(c["campaign_id"]) for c in self.campaigns if c.get("kind") != "pool")

    @classmethod
    def read(cls, read: Callable[[str], bytes]) -> Truth:
        """Truth from the bytes of ``accounts.parquet`` and ``campaigns.jsonl``.

        Args
        ----
        read: gives the bytes of a truth file by name; raises `FileNotFoundError` for one that is not there.

        Columns ``exchanges`` and ``extraction_exchanges`` may be missing; every account then counts as having
        sent one exchange, an extractor's serving extraction.
        """
        rows = pq.read_table(io.BytesIO(read("accounts.parquet"))).to_pylist()
        try:
            text = read("campaigns.jsonl").decode("utf-8")
        except FileNotFoundError:
            text = ""
        return cls.of(rows, [json.loads(line) for line in text.splitlines() if line])

    @classmethod
    def of(cls, rows: list[dict[str, Any]], campaigns: list[dict[str, Any]]) -> Truth:
        """Truth from rows of accounts and of campaigns."""
        pools = {c["campaign_id"] for c in campaigns if c.get("kind") == "pool"}
        listed = {c["campaign_id"] for c in campaigns}
        unlisted = sorted({r["campaign_id"] for r in rows if r.get("campaign_id")} - listed)
        campaigns = [*campaigns, *({"campaign_id": c, "kind": "campaign"} for c in unlisted)]
        live = sorted((r for r in rows if r.get("exchanges", 1) > 0), key=lambda r: r["account_id"])
        return cls(
            ids=tuple(r["account_id"] for r in live),
            org=tuple(r["org_key"] for r in live),
            controller=tuple(r.get("controller") or r["org_key"] for r in live),
            kind=tuple(r["class"] for r in live),
            campaign=tuple(r.get("campaign_id") for r in live),
            extractor=np.array(
                [bool(r["is_extractor"]) and r.get("campaign_id") not in pools for r in live], np.bool_
            ),
            exchanges=np.array([r.get("exchanges", 1) for r in live], np.int64),
            extraction=np.array(
                [r.get("extraction_exchanges", int(r["is_extractor"])) for r in live], np.int64
            ),
            replaces=tuple(r.get("replaces") for r in live),
            silent=frozenset(r["account_id"] for r in rows if r.get("exchanges", 1) <= 0),
            campaigns=tuple(campaigns),
        )


__all__ = ["Counts", "Flags", "Truth"]
