"""The page in a real browser: no error, no request, scripts work."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from scripts.screenshot import find_browser, main, run_browser
from stillwatch.report import render_html
from tests.report.factory import make_result

BROWSER = find_browser()
pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(BROWSER is None, reason="chromium is not on PATH; Debian: apt-get install chromium"),
]
PROBE = """<script>
window.seen = {errors: [], refused: []};
addEventListener("error", e => seen.errors.push(String(e.message || e.target)), true);
addEventListener("unhandledrejection", e => seen.errors.push(String(e.reason)));
addEventListener("securitypolicyviolation", e => seen.refused.push(e.blockedURI + " " + e.violatedDirective));
for (const name of ["error", "warn"]) console[name] = (...a) => seen.errors.push(a.join(" "));
for (const name of ["alert", "confirm", "prompt"]) window[name] = () => seen.errors.push(name);
</script>"""
ACT = """<script>
addEventListener("load", () => {
  const get = id => document.getElementById(id), out = {};
  out.theme = document.documentElement.dataset.theme ?? null;
  get("theme").click();
  out.toggled = document.documentElement.dataset.theme;
  get("find").value = "acct_"; get("find").dispatchEvent(new Event("input"));
  out.found = get("found").querySelectorAll("a").length;
  get("found").querySelector("a").click();
  out.opened = document.querySelectorAll("details.members[open]").length;
  document.querySelectorAll("table.sortable thead button")[1].click();
  out.sorted = Array.from(document.querySelectorAll("table.sortable tbody tr"), r => +r.cells[1].dataset.v);
  document.querySelector("svg.graph .val").dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
  out.lifted = document.querySelectorAll("svg.graph path.hot").length;
  dispatchEvent(new Event("beforeprint"));
  out.closed = document.querySelectorAll("details:not([open])").length;
  dispatchEvent(new Event("afterprint"));
  for (const group of document.querySelectorAll(".group")) group.style.contentVisibility = "visible";
  for (const box of document.querySelectorAll("details")) box.open = true;
  out.wide = document.documentElement.scrollWidth;
  document.body.style.width = "400px";  // headless windows are never narrower than 500
  const inside = e => !e.closest(".scroll, .xt, .skip, #found") || e.matches(".scroll");
  out.out = Array.from(document.querySelectorAll("body *")).filter(
    e => innerWidth < 680 && inside(e) && e.getBoundingClientRect().right > 401).map(e => e.outerHTML.slice(0, 90));
  out.requests = performance.getEntriesByType("resource").map(e => e.name);
  out.scripts = document.scripts.length;
  document.body.setAttribute("data-out", JSON.stringify({...out, ...seen}));
});
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    html = render_html(make_result())
    path.write_text(
        html.replace("<title>", PROBE + "<title>", 1).replace("</body>", ACT + "</body>"), "utf-8"
    )
    return path


def visit(page: Path, width: int, anchor: str = "") -> dict[str, object]:
    assert BROWSER is not None
    flags = ("--dump-dom", f"--window-size={width},900", "--virtual-time-budget=1500")
    dom = run_browser(BROWSER, page.as_uri() + anchor, *flags).stdout
    found = re.search(r'data-out="([^"]*)"', dom)
    assert found, dom[-500:]
    seen: dict[str, object] = json.loads(unescape(found[1]))
    return seen


@pytest.mark.parametrize(("width", "anchor", "theme"), [(1280, "", None), (500, "#dark", "dark")])
def test_page_runs_without_errors_or_requests(page: Path, width: int, anchor: str, theme: str | None) -> None:
    """No error, no refused or made request; theme, search, sorting, graph and printing work; nothing sticks out."""
    seen = visit(page, width, anchor)
    assert seen["errors"] == []
    assert seen["refused"] == []
    assert seen["requests"] == []
    assert seen["scripts"] == 4  # ours, and the two of this test
    assert seen["theme"] == theme
    assert seen["toggled"] == ("light" if theme == "dark" else "dark")
    assert seen["found"] == 20
    assert seen["opened"] == 1
    assert seen["sorted"] == [140, 96, 40, 24]
    assert isinstance(seen["lifted"], int)
    assert seen["lifted"] > 1
    assert seen["closed"] == 0
    assert isinstance(seen["wide"], int)
    assert seen["wide"] <= width
    assert seen["out"] == []


def test_picture_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script writes a PNG of the size asked for."""
    page, picture = tmp_path / "r.html", tmp_path / "r.png"
    page.write_text(render_html(make_result()), "utf-8")
    monkeypatch.setattr(
        "sys.argv", ["screenshot", str(page), str(picture), "--width", "600", "--height", "800"]
    )
    assert main() == 0
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) == (600, 800)
