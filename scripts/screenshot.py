"""Take a picture of a report with headless Chromium: PNG of the page, or PDF as printed.

    python scripts/screenshot.py out/report.html picture.png --width 1280 --height 2400 --theme dark
    python scripts/screenshot.py out/report.html page.pdf

``--height 0`` measures the page first and takes all of it, up to 16,000 pixels. The browser gets a fresh
profile and no reason to talk to anybody; ``chromium`` must be on PATH (Debian: ``apt-get install
chromium``).
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--disable-dev-shm-usage", "--no-default-browser-check",
)  # fmt: skip
_TALLEST = 16_000


def find_browser() -> str | None:
    """Return the path of Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def run_browser(
    browser: str, address: str, *flags: str, timeout_s: float = 90
) -> subprocess.CompletedProcess[str]:
    """Run Chromium once with a profile that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="stillwatch-shot-", ignore_cleanup_errors=True) as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", *flags, address]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=True)


def page_height(browser: str, page: Path, width: int) -> int:
    """Measure the page: a copy with one more script writes its height where ``--dump-dom`` can show it."""
    script = "<script>addEventListener('load',()=>{for(const s of document.querySelectorAll('.group'))"
    script += "s.style.contentVisibility='visible';"
    script += "document.title='tall='+document.documentElement.scrollHeight})</script>"
    with tempfile.TemporaryDirectory(prefix="stillwatch-shot-") as folder:
        copy = Path(folder) / "page.html"
        copy.write_text(page.read_text("utf-8").replace("</body>", script + "</body>"), "utf-8")
        out = run_browser(browser, copy.as_uri(), "--dump-dom", f"--window-size={width},900").stdout
    found = re.search(r"tall=(\d+)", out)
    return min(int(found[1]), _TALLEST) if found else 4000


def main() -> int:
    """Read the arguments, take the picture."""
    parser = argparse.ArgumentParser(description="Picture of a stillwatch report.")
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path, help="ends in .png or .pdf")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=0, help="pixels; 0 takes the whole page")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    args = parser.parse_args()
    browser = find_browser()
    if not browser:
        sys.stderr.write("chromium is not on PATH; Debian: apt-get install chromium\n")
        return 2
    page, picture = args.page.resolve(), args.picture.resolve()
    if picture.suffix == ".pdf":
        run_browser(browser, page.as_uri(), f"--print-to-pdf={picture}", "--no-pdf-header-footer")
    else:
        height = args.height or page_height(browser, page, args.width)
        size = f"--window-size={args.width},{height}"
        run_browser(
            browser,
            f"{page.as_uri()}#{args.theme}",
            f"--screenshot={picture}",
            size,
            "--virtual-time-budget=2000",
        )
    return 0 if picture.exists() else 1


if __name__ == "__main__":
    sys.exit(main())
