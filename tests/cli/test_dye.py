"""``dye`` as a user types it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")
pytest.importorskip("rfc8785")
SETTINGS = """
[dye]
master_file = "dye.master"
epoch = "1"

[evidence]
keys = "keys"
log = "log"
origin = "log.example/e"
"""


@pytest.mark.parametrize("scheme", ["vllm-gumbel", "tensorrt-llm-gumbel"])
def test_what_starts_an_engine_runs_as_it_is_printed(run: Any, scheme: str) -> None:
    """A file name with blanks and quotes stays one name; a key on a command line is told of, and never printed."""
    Path("stillwatch.toml").write_text(SETTINGS)
    assert run("dye", "master", "--out", "dye.master").exit_code == 0
    assert run("evidence", "key", "new", "Desk", "--role", "log").exit_code == 0
    assert run("dye", "issue", "everyone", "--scheme", scheme).exit_code == 0
    name = "it's $(mine).json"
    told = run("dye", "config", "1/everyone", "--out", name)
    assert told.exit_code == 0 and Path(name).exists()
    command = told.stdout.splitlines()[0]
    if scheme == "vllm-gumbel":
        inner = command.partition("$(cat ")[2].removesuffix(')"')
        assert shlex.split(inner) == [name]
        assert "the key is on the command line" in told.stdout
    else:
        assert f"open({name!r})" in command
