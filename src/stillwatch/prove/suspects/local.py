"""Ask a model whose weights are here: no server, and the same answers whoever asks again.

The weights are a stranger's, so they are loaded in a process of their own (`loaded`), which has a largest memory, sees
no secret of the environment and no network that its libraries would look for, and is ended when it gives no sign for
too long. Whatever a model, its tokeniser or its template do, the audit goes on to say what happened.

*Looks alike*: a served model of the same weights may run another precision or template, and answers otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from stillwatch.errors import ConfigError
from stillwatch.prove.suspects.endpoint import Calls, Spent
from stillwatch.prove.suspects.gguf import NAME
from stillwatch.prove.suspects.plan import AuditPlan, Model
from stillwatch.prove.suspects.transcript import Along, Said
from stillwatch.prove.suspects.weights import Weights

PROGRAM = (sys.executable, "-m", "stillwatch.prove.suspects.loaded")
TOP = 20
"""Tokens that are kept of each place of a text."""
MEMORY = 24 << 30
"""Bytes of addresses that a model's process may hold beside its weights."""
UNPACKED = {"folder": 3, "gguf": 16}
"""How many times the size of its files a model may take: packed numbers are unpacked."""
LOAD_S, LOAD_BYTES_PER_S = 600.0, 20e6
"""Longest that loading may take: this, and as long as its bytes need."""
TEMPLATE_S = 60.0
"""Longest that making a prompt into tokens may take, the model's template included."""
MOST_LINE = 64 << 20
WAITING, TOGETHER = 1_024, 8
"""Prompts that are made into tokens before they are asked, and of those of one length, how many at once."""
KEPT = (
    "PATH", "HOME", "LANG", "TMPDIR", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip
"""Of the environment: what a library needs to run, and no key."""

Told = Callable[[int, Said], None]


class Local:
    """One model, loaded when it is asked and let go afterwards."""

    def __init__(self, model: Model, weights: Weights, plan: AuditPlan, calls: Calls) -> None:
        self._model, self._weights, self._plan, self._calls = model, weights, plan, calls

    def ask_all(self, prompts: Iterable[tuple[int, str]], told: Told) -> None:
        """Ask every prompt; ``told`` hears each answer.

        Raises:
            ConfigError: the extra is not installed, the weights cannot be loaded, or their process was ended.
            Spent: the budget ran out; what was answered has been told.
        """
        todo = list(prompts)
        with self._process(len(todo)) as process:
            for at in range(0, len(todo), WAITING):
                self._ask_some(process, todo[at : at + WAITING], told)

    def _ask_some(self, process: _Process, some: Sequence[tuple[int, str]], told: Told) -> None:
        """Prompts of one length together, as many as are answered at once."""
        by_length: dict[int, list[int]] = {}
        for number, prompt in some:
            process.say({"n": number, "prompt": prompt})
            if "failed" in (found := process.heard("making tokens", TEMPLATE_S)):
                told(number, _said(found))
            else:
                by_length.setdefault(_count(found.get("in")), []).append(number)
        for _, numbers in sorted(by_length.items()):
            for at in range(0, len(numbers), TOGETHER):
                self._ask(process, numbers[at : at + TOGETHER], told)

    def _ask(self, process: _Process, numbers: Sequence[int], told: Told) -> None:
        paid: list[int] = []
        spent = None
        for number in numbers:
            try:
                self._calls.take()
            except Spent as error:
                spent = error
                break
            paid.append(number)
        if paid:
            process.say({"ask": paid})
            for number in paid:
                told(number, _said(process.heard("answering", self._answer_s() * len(paid))))
        if spent:
            raise spent

    def read_all(self, texts: Iterable[tuple[int, list[int]]], told: Told) -> None:
        """Read along every text, tokens of ours; ``told`` hears what the model held likeliest at each place.

        Raises:
            As `ask_all` does.
        """
        todo = list(texts)
        with self._process(len(todo)) as process:
            for number, tokens in todo:
                self._calls.take()
                process.say({"text": tokens})
                if "failed" not in (found := process.heard("making tokens", TEMPLATE_S)):
                    found = process.heard("answering", self._answer_s())
                told(number, _said(found))

    def _answer_s(self) -> float:
        return float(self._plan.budget.timeout_s * self._plan.max_tokens)

    @contextlib.contextmanager
    def _process(self, todo: int) -> Iterator[_Process]:
        """The process, with its model loaded; where nothing is left to do, none."""
        process = _Process(self._model.name, self._weights.said)
        if not todo:
            yield process
            return
        if not self._weights.path.exists():
            raise ConfigError(
                f"{self._model.name}: {self._weights.said} is not here any more",
                hint="--replay judges what was answered, without the weights",
            )
        with self._place() as path, process:
            process.say(self._order(path))
            process.heard("loading", LOAD_S + self._weights.size / LOAD_BYTES_PER_S)
            yield process

    @contextlib.contextmanager
    def _place(self) -> Iterator[Path]:
        """The folder that the process is shown; of one file, a folder with nothing beside it."""
        path = self._weights.path.resolve()
        if self._weights.kind == "folder":
            yield path
            return
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / NAME).symlink_to(path)
            yield Path(folder)

    def _order(self, path: Path) -> dict[str, Any]:
        plan, model = self._plan, self._model
        return {
            "path": str(path), "kind": self._weights.kind, "sha256": self._weights.sha256, "name": model.name,
            "said": self._weights.said, "api": model.api, "system": model.system, "seed": plan.seed,
            "temperature": plan.temperature, "max_tokens": plan.max_tokens,
            "memory": MEMORY + UNPACKED[self._weights.kind] * self._weights.size,
            "ours": str(plan.tokeniser.resolve()), "width": plan.width, "top": TOP, "reads": plan.reads,
        }  # fmt: skip


class _Process:
    """The process that holds a model: a line to it, a line from it, and never longer than is given."""

    def __init__(self, name: str, said: str) -> None:
        self._name, self._said = name, said
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        env |= {
            "PYTHONPATH": os.pathsep.join(os.path.abspath(one) for one in sys.path if one),
            "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
        }  # fmt: skip
        self._child = subprocess.Popen(  # noqa: S603 - this program's own
            PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()
        self._thread.join(10.0)  # it ends with the process, unless a child of that one holds the line open
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe and not self._thread.is_alive():
                with contextlib.suppress(OSError):  # what was not sent any more
                    pipe.close()

    def _listen(self) -> None:
        """Lines as they come; an empty one at the end."""
        line = b"\n"
        while line.endswith(b"\n") and self._child.stdout:
            line = self._child.stdout.readline(MOST_LINE)
            self._lines.put(line if line.endswith(b"\n") else b"")

    def say(self, what: dict[str, Any]) -> None:
        """One line; a process that has ended is noticed when it is listened to."""
        with contextlib.suppress(OSError):
            if self._child.stdin:
                self._child.stdin.write(json.dumps(what).encode() + b"\n")
                self._child.stdin.flush()

    def heard(self, doing: str, within_s: float) -> dict[str, Any]:
        """The next line.

        Raises:
            ConfigError: there is none, none in time, or it says what is wrong with the weights.
        """
        try:
            line = self._lines.get(timeout=within_s)
            found = json.loads(line) if line else None
        except queue.Empty:
            raise ConfigError(
                f"{self._name}: {self._said} gave no sign for {within_s:,.0f} s while {doing}, and was ended",
                hint="what was answered is kept; chat and prefill run the template that lies with the weights: "
                'try api = "completions", or serve it and name its url',
            ) from None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(5)
            raise ConfigError(
                f"{self._name}: the process of {self._said} ended while {doing} (status {self._child.returncode})",
                hint="what was answered is kept; is there memory for it? else serve it and name its url",
            )
        if "wrong" in found:
            raise ConfigError(
                f"{self._name}: {str(found['wrong'])[:400]}", hint=str(found.get("hint", ""))[:400]
            )
        return found


def _said(found: dict[str, Any]) -> Said:
    """A reply, or a reading, as the process told it."""
    asked, wrote = _count(found.get("in")), _count(found.get("out"))
    failed = str(found.get("failed", ""))[:200]
    if "tokens" not in found:
        text = found.get("reply")
        return Said(text if isinstance(text, str) else None, asked, wrote, failed)
    try:
        return Said(None, asked, wrote, failed, Along.of(found["tokens"], found.get("log_p")))
    except ValueError:
        return Said(None, asked, wrote, "a reading that is none")


def _count(value: object) -> int:
    return value if type(value) is int and value >= 0 else 0
