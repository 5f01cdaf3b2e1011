"""The account graph: which accounts share which values, laid out by springs, the same way every time.

The links of a campaign are a stated sample (``report.max_edges``), so a campaign of 100,000 members draws as quickly as
one of ten. Accounts that show exactly the same values are one dot with their number. A value that one account alone
shows links nothing and is left out.

References: Fruchterman and Reingold, Graph drawing by force-directed placement (1991).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from stillwatch.records import Campaign
from stillwatch.report.numbers import plural
from stillwatch.report.safe import shown
from stillwatch.report.svg import el
from stillwatch.report.words import label

_VALUES, _DOTS, _ROUNDS = 40, 120, 160
_WIDE, _HIGH, _EDGE = 900.0, 620.0, 46.0


@dataclass(frozen=True, slots=True)
class AccountGraph:
    """The drawing, the same as data for the browser, and what it leaves out."""

    svg: Markup
    data: dict[str, Any]
    sampled: int
    """Accounts in the sample."""
    drawn: int
    """Accounts that are drawn; the rest of the sample shares nothing that is drawn."""
    values: int
    families: tuple[str, ...]


def account_graph(campaign: Campaign, tiers: Mapping[str, str]) -> AccountGraph | None:
    """Lay out a campaign's links; None when no value is shared.

    Args:
        campaign: with its bounded links.
        tiers: tier of each account in the links, as far as known.
    """
    family = {e.trait: str(e.family) for e in campaign.evidence}
    holders: dict[tuple[str, str], set[str]] = defaultdict(set)
    for account, trait, value in campaign.edges:
        holders[trait, value].add(account)
    ranked = sorted((v for v, who in holders.items() if len(who) > 1), key=lambda v: (-len(holders[v]), v))[
        :_VALUES
    ]
    if not ranked:
        return None
    shows: dict[str, list[int]] = defaultdict(list)
    for index, pair in enumerate(ranked):
        for account in sorted(holders[pair]):
            shows[account].append(index)
    alike: dict[tuple[tuple[int, ...], str], list[str]] = defaultdict(list)
    for account, indexes in sorted(shows.items()):
        alike[tuple(indexes), tiers.get(account, "member")].append(account)
    dots = sorted(alike.items(), key=lambda item: (-len(item[1]), item[1][0]))[:_DOTS]
    links = [(d, v) for d, ((indexes, _), _) in enumerate(dots) for v in indexes]
    places = _springs(len(ranked), len(dots), links)
    values = [
        {
            "x": round(float(x), 1), "y": round(float(y), 1), "n": len(holders[v]), "family": family.get(v[0], "none"),
            "label": str(shown(label(v[0]), 30)),
            "said": str(shown(f"{label(v[0])} {shown(v[1], 60)}: {plural(len(holders[v]), 'account')} of the sample")),
        }
        for v, (x, y) in zip(ranked, places[: len(ranked)], strict=True)
    ]  # fmt: skip
    accounts = [
        {
            "x": round(float(x), 1), "y": round(float(y), 1), "n": len(names), "tier": tier, "said": _said(names, tier),
            "href": f"/accounts/{_quoted(names[0])}" if len(names) == 1 else "",
        }
        for ((_, tier), names), (x, y) in zip(dots, places[len(ranked) :], strict=True)
    ]  # fmt: skip
    sample = {a for a, _, _ in campaign.edges}
    drawn = sum(len(names) for _, names in dots)
    families = tuple(sorted({str(v["family"]) for v in values}))
    data = {"values": values, "accounts": accounts, "edges": [list(link) for link in links]}
    return AccountGraph(_svg(data), data, len(sample), drawn, len(ranked), families)


def _said(names: list[str], tier: str) -> str:
    some = ", ".join(shown(n, 40) for n in names[:6])
    return f"{plural(len(names), 'account')}, {tier}: {some}{' …' if len(names) > 6 else ''}"


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name.encode("utf-8", "replace"), safe="")


def _springs(values: int, dots: int, links: list[tuple[int, int]]) -> np.ndarray:
    """Places in the drawing, values first; starts from a circle, so no chance is involved."""
    n = values + dots
    angle = (
        np.concatenate([np.arange(values) / max(1, values), (np.arange(dots) + 0.5) / max(1, dots)])
        * 2
        * np.pi
    )
    radius = np.concatenate([np.full(values, 0.5), np.full(dots, 1.0)])
    at = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    ends = np.array([(values + d, v) for d, v in links])
    k = 2.6 / np.sqrt(n)
    for step in range(_ROUNDS):
        gap = at[:, None, :] - at[None, :, :]
        far = np.sqrt((gap**2).sum(-1)) + 1e-3
        push = (gap * (k * k / far**2)[..., None]).sum(1)
        pull = np.zeros_like(at)
        along = at[ends[:, 0]] - at[ends[:, 1]]
        tug = along * (np.sqrt((along**2).sum(1)) / k)[:, None]
        np.add.at(pull, ends[:, 0], -tug)
        np.add.at(pull, ends[:, 1], tug)
        move = push + pull - at * 0.6 * k
        size = np.sqrt((move**2).sum(1))[:, None] + 1e-9
        at = at + move / size * np.minimum(size, 0.12 * (1 - step / _ROUNDS) + 0.002)
    low, high = at.min(0), at.max(0)
    room = np.array([_WIDE, _HIGH]) - 2 * _EDGE
    placed: np.ndarray = (at - low) / np.maximum(high - low, 1e-6) * room + _EDGE
    return placed


def _svg(data: dict[str, Any]) -> Markup:
    values, accounts = data["values"], data["accounts"]
    parts = [
        el("path", d=f"M{accounts[a]['x']} {accounts[a]['y']}L{values[v]['x']} {values[v]['y']}",
           class_=f"ge s-{values[v]['family']}")
        for a, v in data["edges"]
    ]  # fmt: skip
    for a in accounts:
        dot = el("title", a["said"])
        size = round(3 + min(6.0, a["n"] ** 0.5), 1)
        parts.append(el("circle", dot, cx=a["x"], cy=a["y"], r=float(size), class_=f"ga {a['tier']}"))
    for v in values:
        half = round(5 + min(7.0, v["n"] ** 0.5), 1)
        box = el("title", v["said"])
        parts.append(
            el("rect", box, x=v["x"] - half / 2, y=v["y"] - half / 2, width=float(half), height=float(half),
               class_=f"gv f-{v['family']}")
        )  # fmt: skip
    for v in sorted(values, key=lambda v: -v["n"])[:14]:
        parts.append(el("text", v["label"], x=v["x"] + 9, y=v["y"] + 4, class_="gl"))
    inner = Markup("").join(parts)
    return el("svg", inner, viewBox=f"0 0 {_WIDE:.0f} {_HIGH:.0f}", role="img", aria_label="Account graph")
