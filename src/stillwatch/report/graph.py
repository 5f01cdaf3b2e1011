"""Which accounts share which values: a two-sided drawing, values on the left and accounts on the right.

Accounts that show exactly the same values are drawn as one dot with their number, so that a pool of
thousands stays readable. The order on both sides is found by a few sweeps of averaging neighbours' places
(barycentre method), ties broken by name, so equal input gives equal bytes. Values seen at one account only
link nothing and are left out; values that nearly every account shows are named in words, for their lines
would cover everything else.

References: Sugiyama, Tagawa and Toda (1981).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from stillwatch.records import Campaign
from stillwatch.report.numbers import count
from stillwatch.report.safe import shown
from stillwatch.report.svg import el, group, num
from stillwatch.report.words import label

_VALUES = 40
_DOTS = 110
_NEARLY_ALL = 0.8
_ROW = 22
_LEFT, _RIGHT, _WIDE = 300, 580, 720
_TIERS = ("member", "associated", "watch")

Value = tuple[str, str]
"""(trait, safe value)."""
Dot = tuple[tuple[int, ...], list[str]]
"""(indexes of the values shown, accounts that show exactly these)."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Drawing and its caption."""

    drawing: Markup
    accounts: int
    values: int
    hidden_accounts: int
    hidden_values: int
    common: tuple[tuple[str, str, int], ...]
    """(trait, value, accounts) shown by nearly all and therefore not drawn."""


def graph(campaign: Campaign, tiers: dict[str, str]) -> Graph | None:
    """Lay out the account graph of ``campaign``; None when no value is shared."""
    holders: dict[Value, set[str]] = defaultdict(set)
    for account, trait, value in campaign.edges:
        holders[trait, value].add(account)
    shared = {value: who for value, who in holders.items() if len(who) > 1}
    everyone = {account for account, _, _ in campaign.edges}
    common = sorted(v for v, who in shared.items() if len(who) >= _NEARLY_ALL * len(everyone))
    if len(common) > len(shared) - 2:  # too little would be left to draw
        common = []
    ranked = sorted(set(shared) - set(common), key=lambda v: (-len(shared[v]), v))[:_VALUES]
    if not ranked:
        return None
    shows: dict[str, set[int]] = defaultdict(set)
    for index, pair in enumerate(ranked):
        for account in shared[pair]:
            shows[account].add(index)
    alike: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for account in sorted(shows):
        alike[tuple(sorted(shows[account]))].append(account)
    dots = sorted(alike.items(), key=lambda kv: (-len(kv[1]), -len(kv[0]), kv[1][0]))[:_DOTS]
    left, right = _order(len(ranked), [key for key, _ in dots])
    drawn = sum(len(who) for _, who in dots)
    return Graph(
        drawing=_draw(campaign, ranked, shared, dots, left, right, tiers),
        accounts=drawn,
        values=len(ranked),
        hidden_accounts=max(campaign.account_count, len(everyone)) - drawn,
        hidden_values=len(shared) - len(ranked) - len(common),
        common=tuple((trait, value, len(shared[trait, value])) for trait, value in common[:8]),
    )


def _order(values: int, dots: list[tuple[int, ...]]) -> tuple[list[int], list[int]]:
    """Return the place of every value and of every dot, fewest crossings first come."""
    left, right = list(range(values)), list(range(len(dots)))
    for _ in range(8):
        mean = [sum(left[v] for v in key) / len(key) for key in dots]
        right = _places([(m, i) for i, m in enumerate(mean)])
        sums, seen = [0.0] * values, [0] * values
        for i, key in enumerate(dots):
            for v in key:
                sums[v] += right[i]
                seen[v] += 1
        left = _places([(sums[v] / seen[v] if seen[v] else v, v) for v in range(values)])
    return left, right


def _places(keys: list[tuple[float, int]]) -> list[int]:
    place = [0] * len(keys)
    for position, (_, index) in enumerate(sorted(keys)):
        place[index] = position
    return place


def _draw(
    campaign: Campaign,
    ranked: list[Value],
    shared: dict[Value, set[str]],
    dots: list[Dot],
    left: list[int],
    right: list[int],
    tiers: dict[str, str],
) -> Markup:
    tall = max(len(ranked) * _ROW, min(len(dots) * 14, max(500, len(dots) * 8)), 120) + 16
    families = {e.trait: str(e.family) for e in campaign.evidence}

    def y_value(v: int) -> float:
        return 8 + (left[v] + 0.5) * (tall - 16) / len(ranked)

    def y_dot(i: int) -> float:
        return 8 + (right[i] + 0.5) * (tall - 16) / len(dots)

    edges, nodes, names = [], [], []
    for v, (trait, value) in enumerate(ranked):
        edges.append(
            group(_edges(v, dots, y_value(v), y_dot), class_=f"v{v} s-{families.get(trait, 'none')}")
        )
        y = y_value(v)
        square = el(
            "rect", x=_LEFT - 4, y=y - 4, width=8, height=8, class_=f"f-{families.get(trait, 'none')}"
        )
        words = f"{shown(label(trait), 22)} · {shown(value, 18)}"
        text = el("text", words, x=_LEFT - 12, y=y + 4, text_anchor="end")
        hint = el(
            "title", f"{shown(label(trait))} {shown(value)}: {count(len(shared[trait, value]))} accounts"
        )
        names.append(el("g", hint, text, square, class_="val", data_v=v))
    for i, (_, who) in enumerate(dots):
        nodes.append(_dot(i, who, tiers, y_dot(i), tall / len(dots)))
    inner = Markup("").join([group(edges, class_="edges"), group(names), group(nodes)])
    return el(
        "svg", inner, viewBox=f"0 0 {_WIDE} {tall:.0f}", class_="graph", role="img",
        aria_label="Account graph: shared values on the left, accounts on the right",
    )  # fmt: skip


def _edges(v: int, dots: list[Dot], a: float, y_dot: Callable[[int], float]) -> Iterator[Markup]:
    for i, (key, who) in enumerate(dots):
        if v in key:
            b = y_dot(i)
            path = f"M{_LEFT + 8} {a:.0f}C{_LEFT + 130} {a:.0f} {_RIGHT - 130} {b:.0f} {_RIGHT - 8} {b:.0f}"
            width = num(min(5.0, 0.8 + len(who) ** 0.5 / 3)) if len(who) > 1 else None
            yield el("path", d=path, class_=f"d{i}", stroke_width=width)


def _dot(i: int, who: list[str], tiers: dict[str, str], y: float, room: float) -> Markup:
    found = {tiers.get(account, "watch") for account in who}
    tier = next((t for t in _TIERS if t in found), "watch")
    radius = min(2.2 + 0.8 * len(who) ** 0.5, 12.0)
    more = f" and {count(len(who) - 5)} more" if len(who) > 5 else ""
    hint = el("title", ", ".join(shown(a, 40) for a in who[:5]) + more)
    parts = [hint, el("circle", cx=_RIGHT, cy=y, r=radius, class_=f"t-{tier}")]
    text = f"{count(len(who))} accounts" if len(who) > 1 else shown(who[0], 18)
    if room >= 11:
        parts.append(el("text", text, x=_RIGHT + radius + 6, y=y + 4))
    elif len(who) > 1:
        parts.append(el("text", count(len(who)), x=_RIGHT + radius + 4, y=y + 3, class_="few"))
    return el("g", *parts, class_="dot", data_d=i)
