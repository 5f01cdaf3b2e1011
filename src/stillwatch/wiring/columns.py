"""Columns of a large scan as files that the system may take out of memory and bring back.

A scan keeps a column of the exchanges for the whole run once a step has asked for it: 8 bytes an exchange and column,
which no limit of the engine covers. As a mapped file it is memory that the system can reclaim. A small one stays an
array.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

LARGE = 8 * 2**20
"""Bytes from which a column lies in a file."""


class Columns(dict[str, np.ndarray]):
    """Arrays by name; what is put in comes out with the same values.

    Args:
        folder: where the files lie; a file has no name once it is mapped, so a kill leaves nothing behind.
        large: bytes from which an array is put there.
    """

    def __init__(self, folder: Path, large: int = LARGE) -> None:
        super().__init__()
        self._folder, self._large = folder, large

    def __setitem__(self, name: str, array: np.ndarray) -> None:
        if array.nbytes >= self._large and array.ndim == 1 and not array.dtype.hasobject:
            path = self._folder / f"column-{len(self)}"
            kept = np.memmap(path, dtype=array.dtype, mode="w+", shape=array.shape)
            kept[:] = array
            with suppress(OSError):  # where an open file cannot be removed it goes with the folder
                path.unlink()
            array = kept.view(np.ndarray)
        super().__setitem__(name, array)
