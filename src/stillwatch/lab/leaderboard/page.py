"""The page of a suite: one file, no network, light and dark, on paper as well."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from stillwatch.lab.leaderboard.draw import Point, intervals, swatch
from stillwatch.lab.leaderboard.words import shown

_RATE = "0.001"
"""False positive rate of the first drawing."""

FIGURES = (
    ("Detector", "Named by itself. Below it, detectors with the very same figures on the same worlds."),
    ("Worlds", "A scenario over its seeds, and what figures on it are worth: held out, or no result."),
    ("Recall at 0.001", "Extractors ranked above all but one in a thousand honest accounts of their world."),
    ("Recall at 0.0001", "The same for one in ten thousand; it takes 10,000 honest accounts to measure."),
    ("Partial area", "Mean recall at rates from 0 to 0.001: 1 is perfect, 0.0005 is chance. Mean over worlds."),
    ("Recall, own decision", "Extractors that the detector calls member of a group."),
    ("Honest accounts called member", "Members of any group, honest resellers rightly called a pool among them."),
    ("Recall, called campaign", "Extractors in groups that are called a campaign."),
    ("Honest accounts called campaign", "Honest accounts in groups that are called a campaign."),
    ("Honest organisations called campaign", "Organisations with an account in a group that is called a campaign."),
    ("Honest organisations at review or act", "Organisations with an account that a person would be asked to look at."),
    ("Campaigns found", "Campaigns of which some group has a Jaccard index above one half."),
    ("F1", "Of campaigns called and of claims that fit a campaign."),
    ("Purity", "Members of the campaign or pool that leads their group. Mean over worlds."),
    ("False claims, stated", "Claims with half or more of no campaign, exact interval; then the rate stated."),
    ("Cases per million accounts", "Groups and lone accounts at review or act; exact Poisson interval."),
    ("Successors that are member", "Accounts opened for banned ones, by exchanges they had sent when the log ended."),
    ("Taken before seen", "Median share of a campaign's exchanges before a look saw it, where looks were asked for."),
    ("Seconds", "Time of the detector on all these worlds."),
)  # fmt: skip
"""Columns of the table and their meaning, in reading order."""


def render_page(table: Mapping[str, Any]) -> str:
    """The page of a `leaderboard` table; equal tables give equal bytes.

    Detectors name themselves, so every text is shown without characters that hide or reorder, and escaped. The page's
    own content policy forbids any request.
    """
    series = [d["id"] for d in table["detectors"]]
    rows = [r for r in table["rows"] if r["family"] is not None]
    held = any(r["mark"] == "held out" for r in rows)
    return _environment().get_template("page.html.j2").render(
        table=table,
        rows=rows,
        overall=[r for r in table["rows"] if r["family"] is None],
        series=[{"id": s, **swatch(i)} for i, s in enumerate(series)],
        held=held,
        figures=FIGURES,
        recall=intervals([_recall(r) for r in rows], series, "Recall of extractors at a fixed false positive rate"),
        own=intervals(
            [_point(r, r["operating_points"]["member"]["recall"]) for r in rows], series,
            "Recall of extractors at each detector's own decision",
        ),
        wronged=intervals(
            [_point(r, r["operating_points"]["member"]["false_positives"]) for r in rows], series,
            "Honest accounts called member", decades=6,
        ),
        css=Markup(files("stillwatch.lab.leaderboard").joinpath("page.css").read_text("utf-8")),  # noqa: S704
    )  # fmt: skip


def _recall(row: Mapping[str, Any]) -> Point:
    found = row["recall_at"][_RATE]
    if not found["measured"]:
        return Point(row["family"], row["detector"], None, note=found["why"])
    return _point(row, found)


def _point(row: Mapping[str, Any], rate: Mapping[str, Any]) -> Point:
    note = f"{rate['hits']:,} of {rate['total']:,}"
    if rate["share"] is None:
        return Point(row["family"], row["detector"], None, note="nothing of the kind in these worlds")
    return Point(row["family"], row["detector"], rate["share"], rate["low"], rate["high"], note)


def share(rate: Mapping[str, Any] | None) -> str:
    """A rate with its interval, in words.

    >>> share({"hits": 8, "total": 10, "share": 0.8, "low": 0.49, "high": 0.943})
    '0.800 (0.490 to 0.943; 8 of 10)'
    """
    if not rate or rate.get("share") is None:
        return "n/a"
    form = "{:.3f}" if rate["share"] >= 0.01 or rate["share"] == 0 else "{:.2g}"
    low, high = (f"{v:.3f}" if v >= 0.01 or v == 0 else f"{v:.2g}" for v in (rate["low"], rate["high"]))
    return f"{form.format(rate['share'])} ({low} to {high}; {rate['hits']:,} of {rate['total']:,})"


def _shown(value: object) -> object:
    """Jinja's last step before escaping."""
    if value is None:
        return ""
    return value if isinstance(value, Markup) or not isinstance(value, str) else shown(value)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stillwatch.lab.leaderboard", ""),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["share"] = share
    return environment


__all__ = ["render_page", "share"]
