"""Folders as a hostile stranger would hand them over, loaded for a test; needs torch.

Run by torch's own Python: ``python -m tests.prove.suspects.hostile FOLDER``. Prints what became of each.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from stillwatch.errors import StillwatchError
from stillwatch.prove.suspects import local
from stillwatch.prove.suspects.drawn import Failed
from stillwatch.prove.suspects.endpoint import Calls
from stillwatch.prove.suspects.loaded import Loaded, Wrong
from stillwatch.prove.suspects.plan import read_plan
from tests.prove import toy
from tests.prove.suspects import world
from tests.prove.suspects.networks import save

TEXT = list(range(5, 45))
LOOPS = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}{{ messages[-1].content }}"
)
TEMPLATES = {
    "endless": LOOPS, "a power": "{{ 10 ** (10 ** 10) }}", "a wall of text": "{{ 'x' * 10 ** 11 }}",
    "reaches out": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
}  # fmt: skip


def main(folder: Path) -> None:
    """One small Llama, and what can be made of it."""
    net = import_module("scripts.torchlab.net")
    world.tokeniser(folder)
    ours = Tokenizer.from_file(str(folder / "tokenizer.json"))
    save(net.born(net.Size(32, 2, toy.VOCABULARY + 1, 64), 7), folder / "good", ours)
    found = {name: outcome(folder, name, bend) for name, bend in BENT.items()}
    found["prefill"] = prefilled(folder)
    found |= {f"template: {name}": templated(folder, text) for name, text in TEMPLATES.items()}
    sys.stdout.write(json.dumps(found))


def outcome(folder: Path, name: str, bend: Callable[[Path], None]) -> Any:
    """What loading a bent copy, and reading along a text, comes to."""
    place = folder / "good"
    if name != "good":
        place = Path(shutil.copytree(folder / "good", folder / name))
        bend(place)
    try:
        loaded = Loaded(order(folder, place))
        read = loaded.read(TEXT, loaded.placed(TEXT))
    except Wrong as error:
        return f"wrong: {error}"
    except Failed as error:
        for number in (4, 5):
            loaded.wait(number, "w1 w2")
        return f"failed: {error}; {', '.join(str(row.get('failed')) for row in loaded.said([4, 5]))}"
    return read


def prefilled(folder: Path) -> list[int]:
    """A text read as an answer, after what the model's template puts first."""
    place = Path(shutil.copytree(folder / "good", folder / "prefill"))
    change(
        place / "tokenizer_config.json",
        chat_template="{% for m in messages %}w9 {{ m.content }}{% endfor %} w8",
    )
    return Loaded(order(folder, place) | {"api": "prefill"}).placed(TEXT)


def order(folder: Path, place: Path) -> dict[str, Any]:
    """What a process is told to do."""
    return {
        "path": str(place), "sha256": "", "name": "suspect", "said": place.name, "api": "completions", "system": "",
        "seed": 1, "temperature": 1.0, "max_tokens": 8, "ours": str(folder / "tokenizer.json"), "width": 2,
        "top": 20, "reads": True, "kind": "folder",
    }  # fmt: skip


def templated(folder: Path, template: str) -> str:
    """A template that lies with the weights, asked as an audit asks."""
    place = folder / f"template-{len(list(folder.iterdir()))}"
    shutil.copytree(folder / "good", place)
    change(place / "tokenizer_config.json", chat_template=template)
    path = world.plan(folder, "http://127.0.0.1:9/v1", prompts=1)
    text = path.read_text("utf-8").partition("[suspect]")[0]
    sections = [("[suspect]", place.name), *(("[[control]]", name) for name in ("nan", "permuted", "good"))]
    models = "".join(f'{head}\nname = "{name}"\nfolder = "{name}"\n' for head, name in sections)
    path.write_text(text.replace("= 64", "= 4") + models, encoding="utf-8")
    plan = read_plan(path)
    local.TEMPLATE_S = 15.0
    told: list[Any] = []
    try:
        assert plan.suspect.weights
        asked = local.Local(replace(plan.suspect, name="suspect"), plan.suspect.weights, plan, Calls(9))
        asked.ask_all([(0, "w1 w2")], lambda _, said: told.append(said))
    except StillwatchError as error:
        return f"error: {error}"
    return f"said: {told[0].text} {told[0].failed}"


def change(path: Path, **fields: Any) -> None:
    """Other values in a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | fields), encoding="utf-8")


def tensors(place: Path, bend: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Other tensors in a folder's one file."""
    lib = import_module("safetensors.numpy")
    path = place / "model.safetensors"
    lib.save_file(bend(lib.load_file(path)), path, metadata={"format": "pt"})


def permuted(place: Path) -> None:
    """The same model, whose tokens have other numbers."""
    order = np.random.default_rng(4).permutation(toy.VOCABULARY + 1)
    change_rows = {"model.embed_tokens.weight", "lm_head.weight"}
    tensors(
        place, lambda t: {n: np.ascontiguousarray(v[order]) if n in change_rows else v for n, v in t.items()}
    )
    made = json.loads((place / "tokenizer.json").read_text("utf-8"))
    at = {int(old): new for new, old in enumerate(order)}
    made["model"]["vocab"] = {piece: at[old] for piece, old in made["model"]["vocab"].items()}
    (place / "tokenizer.json").write_text(json.dumps(made), encoding="utf-8")


def lying(place: Path, head: dict[str, Any], body: bytes = b"", length: int | None = None) -> None:
    """A file of numbers whose head says what is not so."""
    text = json.dumps(head).encode()
    data = (len(text) if length is None else length).to_bytes(8, "little") + text + body
    (place / "model.safetensors").write_bytes(data)


def coded(place: Path) -> None:
    """Code beside the weights, which their configuration asks to run."""
    (place / "evil.py").write_text(f"open({str(place / 'ran')!r}, 'w').write('ran')\n")
    change(place / "config.json", model_type="evil", architectures=["Evil"],
           auto_map={"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"})  # fmt: skip


def huge(shape: list[int], end: int) -> dict[str, Any]:
    """A head with one tensor."""
    return {"model.embed_tokens.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}


BENT: dict[str, Callable[[Path], None]] = {
    "good": lambda place: None,
    "permuted": permuted,
    "nan": lambda p: tensors(p, lambda t: {n: v * np.float32("nan") for n, v in t.items()}),
    "vocabulary": lambda p: change(p / "config.json", vocab_size=10**9),
    "hidden": lambda p: change(p / "config.json", hidden_size=10**6, intermediate_size=10**6, head_dim=10**6),
    "negative": lambda p: change(p / "config.json", hidden_size=-5),
    "lacking": lambda p: tensors(p, lambda t: {n: v for n, v in t.items() if "layers.1" not in n}),
    "renamed": lambda p: tensors(
        p, lambda t: {n.replace("layers.1.mlp", "layers.9.mlp"): v for n, v in t.items()}
    ),
    "code": coded,
    "head beyond the file": lambda p: lying(p, {}, length=2**60),
    "tensor beyond the file": lambda p: lying(p, huge([10**6, 10**6], 4 * 10**12)),
    "shape of another size": lambda p: lying(p, huge([10**6, 10**6], 8), b"\0" * 8),
    "empty tokeniser": lambda p: change(
        p / "tokenizer.json", model={"type": "WordLevel", "vocab": {}, "unk_token": "?"}
    ),
    "foreign tokeniser": lambda p: change(
        p / "tokenizer.json", model={"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "a"}
    ),
    "broken tokeniser": lambda p: change(p / "tokenizer.json", model={"type": "Unheard of"}),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
