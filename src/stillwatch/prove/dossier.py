"""A dossier as one page that a judge can follow: what was asked first, what came out, what else explains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from stillwatch.prove.pages import environment

WIDTH, HEIGHT, BINS = 560, 130, 40
VERDICT = {
    "evidence": "the test fired",
    "no_evidence": "the test did not fire",
    "invalid": "the test is invalid and says nothing",
}


def page(found: Mapping[str, Any], signer: Mapping[str, str] | None = None) -> str:
    """HTML, one file; equal dossiers give equal bytes."""
    claim = found["claim"]
    null = claim["null"]
    drawn = plot(null["standardised"], lead(claim)["standardised"]) if null and null["standardised"] else None
    return (
        environment(__package__)
        .get_template("dossier.html.j2")
        .render(found=found, claim=claim, verdict=VERDICT, plot=drawn, signer=signer, lead=lead(claim))
    )


def lead(claim: Mapping[str, Any]) -> Mapping[str, Any]:
    """The key with the smallest p-value."""
    first: Mapping[str, Any] = min(claim["keys"], key=lambda key: key["log10_p_value"])
    return first


def plot(standardised: list[float], observed: float) -> Markup:
    """The null of random keys as bars, the observed statistic as a line, on one scale."""
    low, high = min(*standardised, observed) - 0.5, max(*standardised, observed) + 0.5
    step = (high - low) / BINS
    counts = [0] * BINS
    for value in standardised:
        counts[min(BINS - 1, int((value - low) / step))] += 1
    most = max(counts)

    def x(value: float) -> float:
        return round(WIDTH * (value - low) / (high - low), 1)

    bars = "".join(
        f'<rect class="null" x="{x(low + i * step)}" y="{HEIGHT - 20 - round(90 * n / most, 1)}" '
        f'width="{WIDTH / BINS - 1:.1f}" height="{round(90 * n / most, 1)}"/>'
        for i, n in enumerate(counts)
        if n
    )
    floor, at = HEIGHT - 20, x(observed)
    side, words = ("end", at - 6) if at > WIDTH / 2 else ("start", at + 6)
    zero = f'<text x="{x(0.0)}" y="{HEIGHT - 4}" text-anchor="middle">0</text>' if low < 0 < high else ""
    return Markup(  # noqa: S704  (numbers alone)
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Statistic of {len(standardised)} random keys, '
        f'and of the leading issued key at {observed:.1f}">{bars}'
        f'<line class="axis" x1="0" x2="{WIDTH}" y1="{floor}" y2="{floor}"/>{zero}'
        f'<line class="seen" x1="{at}" x2="{at}" y1="6" y2="{floor}"/>'
        f'<text x="{words}" y="16" text-anchor="{side}">issued key: {observed:.1f}</text></svg>'
    )
