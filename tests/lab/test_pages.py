"""What the lab's pages say in numbers is what the files and the code hold."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

import pytest

import stillwatch.lab as lab
from stillwatch.lab import load_scenario, scenarios
from stillwatch.lab.addresses import COUNTRIES
from stillwatch.lab.attackers import LEVELS, VARIANTS
from stillwatch.lab.discipline import DEVELOPMENT_SEEDS
from stillwatch.lab.honest import CLASSES
from stillwatch.lab.parts import CHUNK_ROWS, PART_ROWS
from stillwatch.lab.plan import HOLD_ROWS, ROW
from stillwatch.lab.population import tables
from stillwatch.lab.relay import Rules
from stillwatch.lab.relay_pool import RESTS_S
from stillwatch.lab.suite import load_suite, suites
from stillwatch.lab.text.english import DOMAINS
from stillwatch.lab.text.languages import TONGUES
from stillwatch.lab.text.library import STYLES
from stillwatch.lab.world import SLICE_ACCOUNTS, SLICE_ROWS

DOCS = Path(__file__).parents[2] / "docs"
LAB = (DOCS / "lab.md").read_text(encoding="utf-8")
GENERATOR = (DOCS / "lab_generator.md").read_text(encoding="utf-8")
WORDS = {8: "eight", 9: "nine", 5: "five", 10: "ten", 27: "twenty-seven", 6: "six"}


def _names(cell: str) -> set[str]:
    """Scenarios a cell speaks of: names, patterns, and ranges."""
    found: set[str] = set()
    for first, last in re.findall(r"`([\w*]+)`(?: to `(\w+)`)?", cell):
        known = sorted(scenarios())
        if last:
            stem = re.sub(r"\d+$", "", first)
            assert first in known
            assert last in known
            found |= {n for n in known if re.fullmatch(rf"{stem}\d+", n)}
        else:
            found |= {n for n in known if fnmatch(n, first)}
    return found


def _rows(page: str, header: str) -> list[list[str]]:
    """Cells of the table under this header line."""
    body = page.split(header, 1)[1].split("\n\n", 1)[0].strip().splitlines()[1:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in body]


def _range(values: list[int]) -> str:
    low, high = min(values, default=0), max(values, default=0)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


HEADER = "| name | days | ordinary | campaigns, pools | accounts of each | content |\n"


def test_the_table_of_scenarios_says_what_the_files_say() -> None:
    """Days, ordinary accounts, campaigns and their sizes, for every scenario once."""
    seen: list[str] = []
    for name, days, ordinary, campaigns, sizes, _ in _rows(LAB, HEADER):
        held = [load_scenario(n) for n in sorted(_names(name))]
        assert held, name
        seen += [s.name for s in held]
        assert days == _range([s.days for s in held]), name
        assert ordinary == _range([s.ordinary.accounts for s in held]), name
        assert campaigns == _range([len(s.campaigns) for s in held]), name
        assert sizes == _range([c.accounts for s in held for c in s.campaigns]), name
    assert sorted(seen) == sorted(scenarios())


def test_the_largest_observed_campaigns_are_named() -> None:
    """Accounts and exchanges of the largest, as the page has them."""
    held = [c for n in scenarios() if n.startswith("observed_") for c in load_scenario(n).campaigns]
    accounts, exchanges = (
        max(c.accounts for c in held),
        max(c.accounts * c.exchanges_per_account for c in held),
    )
    assert f"up to {accounts:,} accounts and {exchanges / 1e6:.1f} million exchanges" in LAB


def test_the_table_of_splits_lists_every_scenario_once() -> None:
    """No scenario is missing, none stands in the wrong row."""
    rows = _rows(GENERATOR, "| split | shipped scenarios |\n")
    listed = [(split.strip("`"), name) for split, cell in rows for name in _names(cell)]
    assert sorted(listed) == sorted((load_scenario(n).split, n) for n in scenarios())


@pytest.mark.parametrize("name", sorted(n for n in scenarios() if n.startswith(("ladder_", "mixture_"))))
def test_descriptions_of_rungs_and_mixtures_hold_their_numbers(name: str) -> None:
    """The rung, the share, the days and the sizes that a description states are those of the file."""
    found = load_scenario(name)
    said = found.description
    if name.startswith("ladder_"):
        sizes = [c.accounts for c in found.campaigns if c.kind == "campaign"]
        assert {c.level for c in found.campaigns} == {int(name[-1])}
        assert f"rung {name[-1]} " in said
        assert f"campaigns of {min(sizes)} to {max(sizes):,} accounts" in said
        assert f"{found.ordinary.accounts:,} ordinary" in said
        assert {7: "Seven days"}[found.days] in said
    else:
        share = int(name.removeprefix("mixture_")) / 100
        assert {c.dials["extraction_share"] for c in found.campaigns} == {share}
        assert f"extraction share of {share}" in said
        assert {c.level for c in found.campaigns} == {1}


def test_the_page_lists_the_suites() -> None:
    """The suites that ship are the suites that are named."""
    line = re.search(r"lists those that ship \(([^)]+)\)", LAB)
    assert line is not None
    assert sorted(re.findall(r"`(\w+)`", line.group(1))) == sorted(suites())


def test_figures_in_the_text_are_those_of_the_code() -> None:
    """Classes, languages, manners, rests, hours, shells, customers' share, seeds, sizes of parts and slices."""
    assert f"{WORDS[len(CLASSES)].capitalize()} classes of organisations" in LAB
    spoken = {tongue for c in COUNTRIES for tongue in c[3]}
    assert spoken == {"en", *TONGUES}
    assert f"in {WORDS[len(spoken)]} languages and {WORDS[len(STYLES)]} English manners" in LAB
    assert f"{WORDS[len(DOMAINS)]} fields" in LAB
    assert f"rests of {RESTS_S.min()} to {RESTS_S.max():,} seconds" in LAB
    assert Rules().sticky_s == 3600
    assert "sessions that stick for an\nhour" in LAB
    assert LEVELS[7].shells == 0.25
    assert "a quarter as many verified shells" in LAB
    assert f"{round(100 * (1 - LEVELS[6].extraction_share))} % is customers' traffic" in LAB
    assert f"seeds {DEVELOPMENT_SEEDS[0]} to {DEVELOPMENT_SEEDS[-1]}" in LAB
    for family in sorted(set(VARIANTS) - {"mixed"}):
        assert f"`{family}`" in LAB, family
    assert f"{ROW.itemsize} bytes an exchange" in GENERATOR
    assert f"at most {SLICE_ACCOUNTS:,} accounts or a million exchanges" in GENERATOR
    assert (SLICE_ROWS, HOLD_ROWS, PART_ROWS, CHUNK_ROWS) == (1_000_000, 1_000_000, 500_000, 50_000)
    assert "half a million exchanges is rendered\n   50,000 rows at a time" in GENERATOR


@pytest.mark.parametrize(
    "module",
    [
        "scenario",
        "relay",
        "relay_work",
        "people",
        "addresses",
        "clients",
        "corpus",
        "attackers.dials",
        "attackers.imitation",
    ],
)
def test_every_parameter_says_what_it_is(module: str) -> None:
    """A field of a dataclass has a text beneath it."""
    path = Path(lab.__file__).parent / f"{module.replace('.', '/')}.py"
    bare = []
    for held in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(held, ast.ClassDef):
            for node, after in pairwise([*held.body, ast.Pass()]):
                told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                if isinstance(node, ast.AnnAssign) and not told:
                    bare.append(f"{held.name}.{ast.unparse(node.target)}")
    assert bare == []


def test_every_scenario_says_what_it_is_for() -> None:
    """A sentence for `lab scenarios`."""
    assert [name for name, text in scenarios().items() if len(text) < 30] == []


def test_every_figure_of_the_population_is_read() -> None:
    """A figure that no code asks for would be believed and do nothing."""
    code = "".join(p.read_text(encoding="utf-8") for p in Path(lab.__file__).parent.glob("*.py"))
    by_law = {"mu", "between", "within", "shares", "values"}
    for table, held in tables().items():
        assert f'"{table}"' in code, table
        for name in set(held) - by_law:
            if not name.endswith("source"):
                alone = f'figure("{table}", "{name}")' in code
                assert alone or (table == "cached" and f'"{name}"' in code), (table, name)


def test_the_suite_and_the_scenario_of_the_manual_can_be_read(tmp_path: Path) -> None:
    """As they stand there, beside each other."""
    suite, world, *_ = re.findall(r"```toml\n(.+?)```", LAB, re.DOTALL)
    (tmp_path / "twodays.toml").write_text(world)
    (tmp_path / "mysuite.toml").write_text(suite)
    worlds = load_suite(tmp_path / "mysuite.toml").worlds
    assert [load_scenario(w.scenario).split for w in worlds] == ["develop", "validate"]
