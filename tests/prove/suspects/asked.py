"""One small Llama as a folder of Hugging Face and as a GGUF file, asked for a test; needs torch and gguf.

Run by torch's own Python: ``python -m tests.prove.suspects.asked FOLDER``. Prints what both say.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from scripts.torchlab.packed import merges_of
from stillwatch.prove.suspects.drawn import Draw
from stillwatch.prove.suspects.gguf import NAME
from stillwatch.prove.suspects.loaded import Loaded
from tests.prove.suspects.hostile import change, order
from tests.prove.suspects.twin import HOSTILE, LENGTH, packed, saved

PROMPTS = ("the year of", "the cafe of the tabs, don't", HOSTILE, "a year, the cafe", "the tabs of", "x")
TEMPLATE = "{% for m in messages %}the {{ m.role }}: {{ m.content }}\n{% endfor %}of the "
START = "<|im_start|>"


def main(folder: Path) -> None:
    """Both, cold and warm, together and alone."""
    model, ours = saved(folder)
    change(folder / "twin" / "tokenizer_config.json", chat_template=TEMPLATE)
    for name, template, start in (("gguf", TEMPLATE, ""), ("led", "", START)):
        (folder / name).mkdir()
        packed(folder / name / NAME, model, ours, merges=merges_of(ours), template=template, start=start)
    found: dict[str, Any] = {}
    for name in ("twin", "gguf"):
        kind = {"kind": "folder" if name == "twin" else "gguf", "reads": False, "max_tokens": 24}
        cold, warm = (Loaded(order(folder, folder / name) | kind | {"temperature": t}) for t in (0.0, 1.0))
        chat = Loaded(
            order(folder, folder / name) | kind | {"temperature": 0.0, "api": "chat", "system": "tabs"}
        )
        found[name] = {
            "cold": said(cold, PROMPTS), "chat": said(chat, PROMPTS),
            "warm": said(warm, [f"the year {n} the" for n in range(10, 18)]),
            "alone": [said(warm, [f"the year {n} the"])[0] for n in range(10, 18)],
        }  # fmt: skip
    led = Loaded(order(folder, folder / "led") | {"kind": "gguf", "reads": False})
    found["lead"], found["bos"] = led.asked("the year")[:1], led.pieces()[START]
    found["ends"] = [warm._ends, led._ends]
    found["long"] = long(warm)
    found["chi_square_p"] = drawn(import_module("torch"))
    sys.stdout.write(json.dumps(found))


def said(loaded: Loaded, prompts: Any) -> list[str | None]:
    """Replies; prompts of one length together."""
    by_length: dict[int, list[int]] = {}
    for number, prompt in enumerate(prompts):
        by_length.setdefault(loaded.wait(number, prompt)["in"], []).append(number)
    replies: dict[int, dict[str, Any]] = {}
    for numbers in by_length.values():
        replies |= dict(zip(numbers, loaded.said(numbers), strict=True))
    return [replies[number].get("reply") for number in range(len(prompts))]


def long(loaded: Loaded) -> list[dict[str, Any]]:
    """A prompt without tokens, and one as long as the model takes."""
    try:
        first: dict[str, Any] = loaded.wait(0, "")
    except Exception as error:
        first = {"failed": str(error)}
    loaded.wait(1, "the year " * (LENGTH // 3))
    return [first, *loaded.said([1])]


def drawn(torch: Any) -> float:
    """How well 4,000 draws, of 4,000 seeds, agree with the distribution they are drawn from."""
    from scipy import stats

    scores = torch.linspace(-2.0, 2.0, 12)
    tokens = Draw(torch, range(4_000), 0.8)(None, scores.repeat(4_000, 1)).argmax(-1)
    expected = torch.softmax(scores.double() / 0.8, -1).numpy() * 4_000
    return float(stats.chisquare(np.bincount(tokens.numpy(), minlength=12), expected).pvalue)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
