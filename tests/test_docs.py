"""Undocumented is unfinished: settings, verbs, traits, links and words of the documentation are checked here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from scripts.docs_nav import expanded
from scripts.generate_docs import PAGES, commands, generated
from stillwatch.records import ACCOUNT_SCHEMA, EXCHANGE_REQUIRED, EXCHANGE_SCHEMA, GRANT_SCHEMA
from stillwatch.records.exchange import TIMESTAMP
from stillwatch.settings import setting_rows

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
TRAITS = sorted(
    path.stem
    for path in (ROOT / "src/stillwatch/detect/traits").glob("*.py")
    if not path.stem.startswith("_")
)
OURS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def pages() -> list[Path]:
    """Every page a reader may open."""
    return [ROOT / name for name in OURS] + sorted(DOCS.rglob("*.md"))


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_pages_are_up_to_date(name: str) -> None:
    """What is committed is what the code says; `make docs-generate` mends it."""
    assert (DOCS / name).read_text(encoding="utf-8") == generated(name)


def test_every_setting_is_documented() -> None:
    """Its name is in the configuration page."""
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert [row.name for row in setting_rows() if f"`{row.name}`" not in text] == []


WORDS = {
    pa.string(): "text", TIMESTAMP: "time", pa.int64(): "whole number", pa.float64(): "number", pa.bool_(): "yes or no",
    pa.list_(pa.string()): "list of text", pa.map_(pa.string(), pa.string()): "map of text to text",
}  # fmt: skip


@pytest.mark.parametrize(
    ("title", "schema", "needed"),
    [
        ("Exchanges", EXCHANGE_SCHEMA, EXCHANGE_REQUIRED),
        ("Accounts", ACCOUNT_SCHEMA, {"account_id"}),
        ("Grants", GRANT_SCHEMA, {"grant_id", "valid_from", "valid_until"}),
    ],
)
def test_the_data_contract_names_every_field_with_its_type(
    title: str, schema: pa.Schema, needed: set[str]
) -> None:
    """In the schema's order; fields of one type and meaning may share a row."""
    text = (DOCS / "ingest.md").read_text(encoding="utf-8")
    part = re.split(r"\n\n(?!\|)", text[text.index(f"\n{title} (`") + 1 :])[0]
    found = [
        (name, kind)
        for names, kind in re.findall(r"^\| (`.+?) \| (.+?) \|", part, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    ]
    assert found == [(f.name, WORDS[f.type] + (", needed" if f.name in needed else "")) for f in schema]


def test_every_verb_is_documented_in_the_manual_and_in_the_readme() -> None:
    """The manual has a heading for each; the README's table names each top verb."""
    manual = (DOCS / "cli.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path, _ in commands():
        assert re.search(rf"^###? {re.escape(path)}$", manual, re.MULTILINE), path
        if path.count(" ") == 1:
            assert f"`{path.removeprefix('stillwatch ')}" in readme, path


@pytest.mark.parametrize("trait", TRAITS)
def test_every_trait_has_a_page(trait: str) -> None:
    """One file, one id, one page."""
    assert (DOCS / "traits" / f"{trait}.md").is_file(), f"write docs/traits/{trait}.md"


def test_every_trait_page_has_a_trait() -> None:
    """A page without its trait is a promise nobody keeps."""
    written = {path.stem for path in (DOCS / "traits").glob("*.md")} - {"index"}
    assert written - set(TRAITS) == set()


@pytest.mark.parametrize("decision", sorted(path.name for path in (DOCS / "decisions").glob("*.md")))
def test_every_decision_says_what_its_test_cannot_see(decision: str) -> None:
    """Problem, choice, guard with its blind spot, cost."""
    text = (DOCS / "decisions" / decision).read_text(encoding="utf-8")
    assert re.match(r"\d{4}-[a-z0-9-]+\.md$", decision)
    assert text.startswith(f"# {decision[:4]} ")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Problem", "Choice", "The test that guards it, and what it cannot see", "Cost"]


def flat(nav: list) -> list[str]:
    """The pages of a navigation, in order."""
    found: list[str] = []
    for entry in nav:
        if isinstance(entry, str):
            found.append(entry)
        else:
            for value in entry.values():
                found += flat(value) if isinstance(value, list) else [value]
    return found


def navigation() -> list[str]:
    """The expanded navigation, read without the site builder."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    return flat(expanded(re.findall(r"([\w./-]+\.md|[\w-]+/\*)", text), DOCS))


def test_the_navigation_shows_every_page() -> None:
    """No page is written that nobody can find, and none is announced that is not there."""
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert set(navigation()) == written


def test_the_navigation_finds_new_traits_by_itself(tmp_path: Path) -> None:
    """A folder entry becomes its pages, index first."""
    for name in ("b.md", "index.md", "a.md", "picture.png"):
        (tmp_path / "t").mkdir(exist_ok=True)
        (tmp_path / "t" / name).touch()
    assert expanded([{"Traits": ["t/*"]}, {"Home": "index.md"}], tmp_path) == [
        {"Traits": ["t/index.md", "t/a.md", "t/b.md"]},
        {"Home": "index.md"},
    ]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link points at something in the repository."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


def test_no_file_names_a_registry_or_a_place_on_someones_disk() -> None:
    """Locks and build files work anywhere."""
    files = [*(ROOT / "requirements").glob("*"), *pages(), *(ROOT / "scripts").glob("*.py")]
    files += [ROOT / name for name in ("Makefile", "pyproject.toml", "mkdocs.yml", ".ci/run")]
    found = re.compile(r"--(extra-)?index-url|--find-links|(?<![\w.])/(home|root|work|opt)/")
    for path in files:
        assert not found.search(path.read_text(encoding="utf-8")), path
    for path in (ROOT / "requirements").glob("*"):
        assert "://" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    "name", ["core", "dev", "docs", "litellm", "litellm-db", "envoy", "case", "sigma", "oscal"]
)
def test_the_lock_is_exact_and_hashed(name: str) -> None:
    """Every requirement has one version and at least one hash; no machine-learning framework is pulled in."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+==\S+", entry), entry[:60]
        assert "--hash=sha256:" in entry, entry[:60]
    assert not re.search(r"^(torch|tensorflow|jax)\b", text, re.MULTILINE)


def test_the_lock_of_npm_packages_is_exact_and_hashed() -> None:
    """Every archive has a digest, and none an address: it comes from the registry that is configured."""
    text = (ROOT / "tests/e2e/litellm_db/package-lock.json").read_text(encoding="utf-8")
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert re.match(r"\d", entry["version"]), name
        assert entry["integrity"].startswith("sha512-"), name
        assert "hasInstallScript" not in entry, name
    assert "://" not in text


@pytest.mark.parametrize("name", ["torch", "torch-wheel"])
def test_the_lock_of_networks_is_exact_and_hashed(name: str) -> None:
    """The environment of networks is locked too; torch comes by itself, without a graphics card's libraries."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[a-z0-9._-]+==\S+", entry), entry[:60]
        assert "--hash=sha256:" in entry, entry[:60]
    assert bool(re.search(r"^torch==", text, re.MULTILINE)) is (name == "torch-wheel")
    assert not re.search(r"^(nvidia|cuda|triton)", text, re.MULTILINE)


def test_the_site_builds_strictly(tmp_path: Path) -> None:
    """No warning, no missing page, and nothing loaded from elsewhere."""
    pytest.importorskip("mkdocs", reason="the site builder is not installed; `make docs` installs it")
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--quiet",
            "-d",
            tmp_path / "site",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    sources = re.findall(r"<(?:script|img|iframe)[^>]+src=\"([^\"]+)", page)
    sources += re.findall(r"<link[^>]+href=\"([^\"]+)\"[^>]*stylesheet|stylesheet[^>]+href=\"([^\"]+)", page)
    assert [source for source in map(str, sources) if "http" in source] == []
