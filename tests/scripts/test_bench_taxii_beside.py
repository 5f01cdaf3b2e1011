"""The bench that puts the TAXII server beside another: what it asks, and what it says of a step that takes too long."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import httpx
import pytest

from scripts import bench_taxii_beside as bench
from scripts.bench_taxii import stix


def test_our_server_is_sent_and_asked_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Objects go in and come back, each once, and every step is told with its time."""
    draw = random.Random(3)
    objects = [stix(number, draw) for number in range(30)]
    with bench.ours(tmp_path, 60) as server:
        assert bench._step(server, 30, "sent", partial(bench._sent, server, objects, 60))
        bench._reads(server, 30, [objects[0]["id"], objects[29]["id"]], 60)
        with pytest.raises(SystemExit, match="paged 30, 30 different, of 31"):
            bench._paged(server, 31, 60)

        def too_long() -> None:
            raise httpx.ReadTimeout("no answer")

        assert not bench._step(server, 30, "a step", too_long)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 6 and said[-1].endswith("and was ended") and "MB" in said[-2]


def test_the_other_server_starts_from_a_file_with_the_same_objects() -> None:
    """Every object with a row of the manifest, as that server looks them up by both."""
    draw = random.Random(3)
    objects = [stix(number, draw) for number in range(5)]
    [kept] = bench._as_medallion_keeps(objects)[bench.ROOT]["collections"]
    assert kept["objects"] == objects
    assert [(row["id"], row["version"]) for row in kept["manifest"]] == [
        (o["id"], o["modified"]) for o in objects
    ]
