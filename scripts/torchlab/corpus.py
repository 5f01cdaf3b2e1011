"""Text to learn from: the docstrings of Python's library (PSF licence), NumPy and SciPy (BSD), read where they lie.

Nothing is downloaded or copied into the repository. Files are dealt to three parts by their names' digest, so that no
two laboratories learn one text: *ours*, *other* and *public*.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as Decoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

PARTS = ("ours", "ours", "other", "public")
"""Part by digest: half of all files are ours."""
PACKAGES = ("numpy", "scipy")
SHORTEST = 400
"""Characters of a docstring that is taken."""
END = "<|endoftext|>"


@cache
def texts(part: str) -> tuple[str, ...]:
    """Docstrings of one part, in a fixed order."""
    return tuple(
        doc
        for name, path in files()
        if PARTS[sha256(name.encode()).digest()[0] % 4] == part
        for doc in docs(path)
    )


def files() -> Iterator[tuple[str, Path]]:
    """Source files under names that are the same on every machine."""
    roots = [(name, Path(str(find_spec(name).origin)).parent) for name in PACKAGES]  # type: ignore[union-attr]  # installed, so found
    roots.append(("python", Path(ast.__file__).parent))
    for name, root in roots:
        for path in sorted(root.rglob("*.py")):
            below = path.relative_to(root)
            if not {"site-packages", "test", "tests", "idlelib"} & set(below.parts):
                yield f"{name}/{below.as_posix()}", path


def docs(path: Path) -> Iterator[str]:
    """Long docstrings of one file."""
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node)
            if doc and len(doc) >= SHORTEST:
                yield doc


def tokeniser(lessons: Sequence[str], size: int) -> Tokenizer:
    """A byte-level BPE trained on texts."""
    made = Tokenizer(BPE())
    made.pre_tokenizer = ByteLevel(add_prefix_space=False)
    made.decoder = Decoder()
    trainer = BpeTrainer(
        vocab_size=size, special_tokens=[END], initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(lessons, trainer)
    return made
