"""Folders of a stranger's: what points out of them, is no file, or is larger than any model needs is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.suspects import weights
from stillwatch.prove.suspects.weights import read_weights


def folder(place: Path) -> Path:
    """The form of a model's."""
    path = place / "model"
    (path / "more").mkdir(parents=True)
    (path / "config.json").write_text('{"num_hidden_layers": 2, "text_config": {"n_routed_experts": 8}}')
    for name in ("model.safetensors", "more/tokenizer.json"):
        (path / name).write_bytes(name.encode())
    return path


def test_a_plain_folder_is_taken_by_its_bytes(tmp_path: Path) -> None:
    """Hidden files are not part of it; its size is what its files hold."""
    path = folder(tmp_path)
    found = read_weights(path, "model")
    (path / ".hidden").write_text("x")
    assert read_weights(path, "model") == found and found.size == 100
    (path / "more/tokenizer.json").write_text("changed")
    assert read_weights(path, "model").sha256 != found.sha256


def sparse(path: Path, size: int) -> None:
    """A file of a size that takes no place."""
    with path.open("wb") as file:
        file.truncate(size)


BENT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a link to a secret": (lambda p: (p / "vocab.json").symlink_to("/etc/hosts"), "a link"),
    "a link within": (lambda p: (p / "vocab.json").symlink_to("config.json"), "a link"),
    "a folder that is its own child": (lambda p: (p / "more/again").symlink_to(p), "a link"),
    "a pipe without end": (lambda p: os.mkfifo(p / "tokenizer.json"), "no file"),
    "a tokeniser of a gigabyte": (lambda p: sparse(p / "tokenizer.json", 1 << 30), "larger than 256 MB"),
    "a configuration of 5 MB": (lambda p: sparse(p / "config.json", 5 << 20), "larger than 4 MB"),
    "no JSON": (lambda p: (p / "config.json").write_text("{"), "not JSON"),
    "a number of 5,000 digits": (lambda p: (p / "config.json").write_text('{"a": 1' + "0" * 5_000 + "}"), "not JSON"),
    "no object": (lambda p: (p / "config.json").write_text("[]"), "no object"),
    "too deep": (lambda p: (p / "config.json").write_text('{"a":' * 100_000 + "1" + "}" * 100_000), "not JSON"),
    "a billion layers": (lambda p: (p / "config.json").write_text('{"num_hidden_layers": 1e9}'), "above 2,048"),
    "layers that are no number": (lambda p: (p / "config.json").write_text('{"n_layer": NaN}'), "above 2,048"),
    "experts below": (
        lambda p: (p / "config.json").write_text('{"text_config": {"num_experts": 1000000}}'), "above 8,192"
    ),
    "a shard elsewhere": (
        lambda p: (p / weights.INDEX).write_text(json.dumps({"weight_map": {"a": "../../other.safetensors"}})),
        "does not hold",
    ),
    "an index that is none": (lambda p: (p / weights.INDEX).write_text('{"weight_map": 3}'), "does not hold"),
    "an adapter": (lambda p: (p / "adapter_config.json").write_text("{}"), "is an adapter"),
    "nothing readable": (lambda p: (p / "config.json").unlink(), "no config.json"),
}  # fmt: skip


@pytest.mark.parametrize("name", BENT)
def test_what_no_model_needs_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything is loaded, in words that say what to do."""
    path = folder(tmp_path)
    bend, told = BENT[name]
    bend(path)
    with pytest.raises(ConfigError, match=told) as caught:
        read_weights(path, "model")
    assert caught.value.hint and str(tmp_path) not in str(caught.value)


def test_a_folder_of_everything_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home, named by mistake, is not digested file by file."""
    monkeypatch.setattr(weights, "MOST_FILES", 2)
    with pytest.raises(ConfigError, match="more than 2 files"):
        read_weights(folder(tmp_path), "model")


def test_a_gguf_file_is_taken_by_its_bytes_and_never_through_a_link(tmp_path: Path) -> None:
    """Its name is not part of it."""
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGUF and numbers")
    found = read_weights(path, "a.gguf", "gguf")
    assert (found.kind, found.size) == ("gguf", 16)
    assert read_weights(path.rename(tmp_path / "b.gguf"), "b.gguf", "gguf").sha256 == found.sha256
    path.symlink_to(tmp_path / "b.gguf")
    (tmp_path / "c.gguf").write_bytes(b"PK\x03\x04")
    os.mkfifo(tmp_path / "d.gguf")
    for name, told in (("a", "a link"), ("c", "no GGUF file"), ("d", "no file"), ("e", "could not be read")):
        with pytest.raises(ConfigError, match=told):
            read_weights(tmp_path / f"{name}.gguf", f"{name}.gguf", "gguf")
