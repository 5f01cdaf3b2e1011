"""What a model was asked and said, one line a call: appended, resumed, and read again without the model.

The first line names the plan by its digest and the model. A later line is one prompt's number and its reply, or what
the model held likeliest along a text, or why there is neither. A line that was half written when the power went is cut
off; the prompt is asked again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import VerificationError
from stillwatch.prove.suspects.plan import Model

LEAST_LOG_P = -60.0
"""What stands for impossible."""
NONE_OF_OURS = -1
"""Stands for a token that we have not, or cannot name."""


@dataclass(frozen=True, slots=True)
class Along:
    """What a model held likeliest at each place of one text, likeliest first, in tokens of ours."""

    tokens: NDArray[np.int64]
    """int64[places, k]; `NONE_OF_OURS` where an endpoint named one that is none."""
    log_p: NDArray[np.float64]
    """float64[places, k]: natural logarithms, of its whole distribution."""

    @classmethod
    def of(cls, tokens: object, log_p: object) -> Along:
        """From lists, as a line or a stranger's process has them.

        Raises:
            ValueError: they are no such thing.
        """
        try:
            its, values = np.array(tokens), np.array(log_p, dtype=np.float64)
        except TypeError as error:
            raise ValueError("not numbers") from error
        if its.dtype != np.int64 or its.ndim != 2 or its.shape != values.shape or not its.size:
            raise ValueError("not places by candidates")
        if (
            its.min() < NONE_OF_OURS
            or its.max() >= 2**32
            or not np.isfinite(values).all()
            or values.max() > 1e-3
        ):
            raise ValueError("no tokens, or no log-probabilities")
        in_order = np.sort(its, axis=1)
        twice = (in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] != NONE_OF_OURS)
        if twice.any() or (np.diff(values, axis=1) > 0).any():
            raise ValueError("a token twice at one place, or not the likeliest first")
        return cls(its, values)


@dataclass(frozen=True, slots=True)
class Said:
    """One reply, or one reading; ``text`` and ``along`` are None where there is none, and ``failed`` says why."""

    text: str | None
    tokens_in: int = 0
    tokens_out: int = 0
    failed: str = ""
    along: Along | None = field(default=None, compare=False)

    @property
    def answered(self) -> bool:
        return self.text is not None or self.along is not None


class Transcript:
    """One model's transcript, open for writing."""

    def __init__(self, path: Path, plan_sha256: str, model: Model) -> None:
        self._path, self._head = path, _head(plan_sha256, model)
        self.said: dict[int, Said] = {}
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            self.said = dict(_read(self._path, self._head, mend=True))
            self._file = self._path.open("ab")
        else:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = os.fdopen(handle, "wb")
            self._write(self._head)
        return self

    def add(self, number: int, said: Said) -> None:
        """Write one reply down."""
        row: dict[str, Any] = {"n": number, "reply": said.text, "in": said.tokens_in, "out": said.tokens_out}
        if said.failed:
            row["failed"] = said.failed
        if said.along is not None:
            row |= {"tokens": said.along.tokens.tolist(), "log_p": said.along.log_p.tolist()}
        self._write(row)
        self.said[number] = said

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._file is None:
            raise RuntimeError("the transcript is not open")
        self._file.write(json.dumps(row, ensure_ascii=True).encode() + b"\n")
        self._file.flush()


def read_transcript(path: Path, plan_sha256: str, model: Model) -> dict[int, Said]:
    """Replies by the number of their prompt; none where the model was not asked yet.

    Raises:
        VerificationError: another plan's or another model's transcript, or a damaged one.
    """
    if not path.exists():
        return {}
    return dict(_read(path, _head(plan_sha256, model), mend=False))


@contextmanager
def _whole_lines(path: Path, mend: bool) -> Iterator[list[bytes]]:
    data = path.read_bytes()
    whole, cut = data.rpartition(b"\n")[0::2]
    if cut and mend:
        os.truncate(path, len(whole) + 1 if whole else 0)
    elif cut:
        raise VerificationError(
            f"{path.name} ends within a line", hint="ask on: the same command without --replay"
        )
    yield whole.split(b"\n") if whole else []


def _read(path: Path, head: Mapping[str, Any], mend: bool) -> Iterator[tuple[int, Said]]:
    with _whole_lines(path, mend) as lines:
        try:
            first = json.loads(lines[0]) if lines else None
            rows = [json.loads(line) for line in lines[1:]]
        except (ValueError, RecursionError) as error:
            raise VerificationError(f"{path.name} is damaged", hint="move it away and ask again") from error
    if first != head:
        raise VerificationError(
            f"{path.name} belongs to another plan, or to another model",
            hint="a plan that was changed is another plan: give it a folder of its own",
        )
    seen: set[int] = set()
    for row in rows:
        if not isinstance(row, dict) or type(row.get("n")) is not int or row["n"] in seen:
            raise VerificationError(
                f"{path.name} holds a line twice, or one that is no reply", hint="move it away"
            )
        seen.add(row["n"])
        text = row.get("reply")
        if text is not None and not isinstance(text, str):
            raise VerificationError(f"{path.name} holds a reply that is no text", hint="move it away")
        try:
            along = Along.of(row["tokens"], row.get("log_p")) if "tokens" in row else None
        except ValueError as error:
            raise VerificationError(
                f"{path.name} holds a reading that is none", hint="move it away"
            ) from error
        counts = int(row.get("in", 0)), int(row.get("out", 0))
        yield row["n"], Said(text, *counts, str(row.get("failed", "")), along)


def _head(plan_sha256: str, model: Model) -> dict[str, Any]:
    head = {"plan": plan_sha256, "name": model.name, "model": model.model, "url": model.url, "api": model.api}
    return head | ({"weights_sha256": model.weights.sha256} if model.weights else {})
