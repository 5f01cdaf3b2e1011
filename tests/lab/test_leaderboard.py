"""The page of a suite: hostile names, drawings, rows that nothing tells apart, what figures mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scripts.screenshot import find_browser, run_browser
from stillwatch.lab.discipline.standing import Standing
from stillwatch.lab.leaderboard import leaderboard, render_page
from stillwatch.lab.leaderboard.draw import COLUMNS, SHAPES, Point, intervals, swatch
from stillwatch.lab.leaderboard.words import short, shown
from stillwatch.lab.scoring import Run, score_run
from tests.lab.judging import a_run, a_truth

BROWSER = find_browser()
HIDDEN = "\u202e\u2066\u200b\u2028\u00ad\U000e0041\x1b\x00\ufe0f"
PLAIN = {"name": "n", "title": "t", "version": 1, "purpose": "report", "generator": "1", "ledger": "0" * 64}


def cell(detector: str, family: str, run: Run, seed: int = 201) -> dict[str, Any]:
    """A cell as a suite keeps it."""
    score = score_run(a_truth({"A": 4}, 1000), run) | {"standing": Standing("held out", {}).row()}
    return {
        "detector": {
            "id": detector, "title": detector, "version": "1", "source": "", "settings": {}, "drop_traits": [],
        },
        "scenario": family, "scale": 1.0, "seed": seed, "wall_s": float(len(detector)), "score": score,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["a" + HIDDEN, "W" * 200, "\u6f22" * 50, "z" + "\u0301" * 60, "a\nb", "\u3164"]
)
def test_hostile_names_are_shown_and_shortened(name: str) -> None:
    """On the page and in its drawings alike: nothing hides, turns the line, piles up or runs into the plot."""
    text = render_page(leaderboard([cell(name, name, a_run({"g": ["A0", "A1"]}))], PLAIN))
    assert not set(text) & set(HIDDEN + "\u3164")
    assert not re.search("\u0301{3}", text)
    drawn = re.findall(r'<text [^>]*class="name"[^>]*>([^<]*)<title>', text)
    assert len(drawn) == 3
    for found in drawn:
        assert found
        assert "\n" not in found
        wide = sum("\u2e80" < c for c in found if c != "\ufffd")
        assert len(found) + wide <= COLUMNS


def test_ordinary_words_stay_as_they_are() -> None:
    """Other scripts and accents are no attack; the two ends of a long name stay."""
    for word in ("stillwatch/kappa-1", "d\u00e9tecteur", "\u0627\u0644\u0639\u0631\u0628", "e\u0301"):
        assert shown(word) == word
        assert short(word, 26) == word
    assert short("first_" + "x" * 60 + "_last", 14) == "first_x\u2026x_last"
    assert short("\u6f22" * 9, 7) == "\u6f22\u2026\u6f22"


def test_two_dozen_detectors_are_told_apart() -> None:
    """Ink and shape together; the drawing uses what the legend shows."""
    marks = [tuple(swatch(i).values()) for i in range(24)]
    assert len(set(marks)) == 24
    names = [f"d{i}" for i in range(24)]
    drawn = intervals([Point("f", n, 0.5, 0.4, 0.6) for n in names], names, "label")
    for ink, shape in marks:
        mark = '<circle cx="470"' if shape == "circle" else f'<path d="{SHAPES[shape]}"'
        assert re.search(re.escape(mark) + f'[^>]*class="dot {ink}"', drawn), (ink, shape)


def test_equal_detectors_are_said_to_be_equal() -> None:
    """The same figures on the same worlds are no difference, whatever the names and the time."""
    same, other = a_run({"g": ["A0", "A1", "A2"]}), a_run({"g": ["A0", "A1"]})
    cells = [cell("one", "f", same), cell("three", "f", same), cell("zwei", "f", other)]
    table = leaderboard(cells, PLAIN)
    assert {(r["detector"], r["family"]): r["equal_to"] for r in table["rows"]} == {
        ("one", "f"): ["three"], ("three", "f"): ["one"], ("zwei", "f"): [],
        ("one", None): ["three"], ("three", None): ["one"], ("zwei", None): [],
    }  # fmt: skip
    assert render_page(table).count("no difference on these worlds from") == 4
    elsewhere = leaderboard([cell("one", "f", same), cell("three", "f", same, seed=202)], PLAIN)
    assert not any(r["equal_to"] for r in elsewhere["rows"])


def test_every_column_has_a_meaning() -> None:
    """Each row has one cell per column, and each column stands in the legend."""
    text = render_page(leaderboard([cell("one", "f", a_run({"g": ["A0", "A1", "A2"]}))], PLAIN))
    board = text.split('<table class="board">')[1].split("</table>")[0]
    columns = re.findall(r'<th scope="col">(.*?)</th>', board)
    body = board.split("<tbody>")[1]
    assert body.count("<td>") + body.count('<th scope="row">') == len(columns)
    assert re.findall(r"<dt>(.*?)</dt><dd>.+?</dd>", text) == columns


@pytest.mark.chromium
@pytest.mark.skipif(BROWSER is None, reason="chromium is not on PATH; Debian: apt-get install chromium")
def test_every_column_is_on_paper(tmp_path: Path) -> None:
    """The table is as wide as a landscape page of A4 without its margins, 1,047 pixels, and no wider."""
    run = a_run({"g": ["A0", "A1"]}, hints={"A0": "review"})
    text = render_page(leaderboard([cell("shared_template", "evasion_small", run)], PLAIN))
    text = re.sub("<meta http-equiv[^>]*>", "", text).replace("@media print", "@media screen")
    widths = "[...document.querySelectorAll('.board')].map(b => b.offsetWidth)"
    script = f"document.body.dataset.wide = Math.max(...{widths})"
    page = tmp_path / "page.html"
    page.write_text(
        text.replace("</body>", f"<script>document.body.style.width='1047px';{script}</script></body>")
    )
    dom = run_browser(str(BROWSER), page.as_uri(), "--dump-dom", "--window-size=1300,900").stdout
    found = re.search(r'data-wide="(\d+)"', dom)
    assert found
    assert int(found[1]) <= 1047
