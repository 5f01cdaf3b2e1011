"""One small world for all end-to-end tests, and one scan of it that most of them compare with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.lab import generate, load_scenario
from tests.e2e.driving import ONE_THREAD, Ended, cli, summary

SEED, SCALE = 7, 0.15


HERE = Path(__file__).parent
collect_ignore = ["fastapi_server.py"]
"""A server of its own, not to be imported among tests."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow tests out unless ``-m`` asks for them, and one warning aside.

    The table library calls a method that the engine is about to drop; nobody here can change that.
    """
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"))
    if "slow" not in str(config.getoption("markexpr")):
        left_out = [item for item in ours if item.get_closest_marker("slow")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]


@dataclass(frozen=True, slots=True)
class World:
    """Files of a simulated day, and who does what in it."""

    logs: Path
    accounts: Path
    truth: Path
    campaigns: dict[str, frozenset[str]]
    """Members of each campaign by its variant."""

    @property
    def attackers(self) -> frozenset[str]:
        """Every account of every campaign."""
        return frozenset().union(*self.campaigns.values())

    def table(self) -> pa.Table:
        """All exchanges."""
        return pq.read_table(self.logs)


@dataclass(frozen=True, slots=True)
class Run:
    """A scan that has ended."""

    out: Path
    ended: Ended


Scan = Callable[..., Run]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The lab's demonstration day, small."""
    place = tmp_path_factory.mktemp("world")
    generate(load_scenario("demo_day"), seed=SEED, scale=SCALE, out=place)
    campaigns: dict[str, set[str]] = {}
    for row in pq.read_table(place / "truth" / "accounts.parquet").to_pylist():
        if row["campaign_id"]:
            campaigns.setdefault(row["campaign_id"].split("-")[2], set()).add(row["account_id"])
    assert "cot_math" in campaigns
    return World(
        place / "exchanges" / "part-0000.parquet",
        place / "accounts.parquet",
        place / "truth",
        {variant: frozenset(who) for variant, who in campaigns.items()},
    )


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings that ask for one thread."""
    path = tmp_path_factory.mktemp("settings") / "quick.toml"
    path.write_text(ONE_THREAD)
    return path


@pytest.fixture(scope="session")
def first(world: World, quick: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The scan of the whole world that others are compared with. Never written to."""
    out = tmp_path_factory.mktemp("first") / "report"
    ended = cli("scan", world.logs, "--accounts", world.accounts, "--out", out, "--settings", quick, "--json")
    assert ended.status in (0, 10), ended.err
    assert json.loads(ended.out)["counts"]["exchanges"] > 10_000
    assert summary(out)["incomplete"] == []
    return Run(out, ended)


@pytest.fixture
def scan(tmp_path: Path, quick: Path) -> Scan:
    """Scan into a fresh folder; any ending but 0 and 10 fails the test, and so does a trait that failed."""
    number = 0

    def run(
        *args: object, key: str | None = None, settings: str = "", stdin: bytes | None = None,
        incomplete: tuple[str, ...] = (),
    ) -> Run:  # fmt: skip
        nonlocal number
        number += 1
        out = tmp_path / f"scan-{number}" / "report"
        chosen = quick
        if settings:
            chosen = tmp_path / f"settings-{number}.toml"
            chosen.write_text(ONE_THREAD + settings)
        more = {"key": key} if key else {}
        ended = cli("scan", *args, "--out", out, "--settings", chosen, stdin=stdin, **more)
        assert ended.status in (0, 10), ended.err
        assert summary(out).get("incomplete", []) == list(incomplete)
        return Run(out, ended)

    return run
