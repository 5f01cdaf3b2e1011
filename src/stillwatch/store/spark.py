"""Apache Spark as engine: the same tables and expressions in a local process, or on a cluster.

Expressions are compiled by Ibis to Spark's SQL and run by Spark itself; results come back as Arrow. The Ibis backend
for Spark is not used to run them: it fetches through pandas, which makes floats of whole numbers that may be missing.

A table is a data frame that is kept on the disks of the executors. When one of them is lost, Spark makes its part
again from what it was made of, in the end from the log files: every step depends on its input alone, so the bytes are
the same.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.errors import ConfigError, UpstreamError

SALTS = 64
LOCAL_PARTITIONS = 16
"""Parts of a shuffle in one process; a cluster keeps Spark's own setting."""
MASTER_ANSWERS_WITHIN_S = 5.0
"""Spark itself tries for a minute before it gives up."""
_INSTALL = "pip install 'stillwatch[spark]'"
_JAVA = "install a full Java 17 or 21 (Debian: apt-get install openjdk-17-jre-headless), or let JAVA_HOME name one"
_PINNED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an overflow is an error, as it is in the embedded engine
    "spark.sql.execution.arrow.maxRecordsPerBatch": "32768",
    "spark.driver.maxResultSize": "0",
    "spark.log.level": "ERROR",
    "spark.ui.showConsoleProgress": "false",
}


def open_spark(
    master: str, *, threads: int = 0, memory_limit: str = "8GB", spill: str | None = None
) -> SparkEngine:
    """Open a session.

    Whatever else a session needs is read by Spark itself from ``SPARK_CONF_DIR``, as ever.

    Args:
        master: ``local``, or a Spark master such as ``spark://host:7077`` or ``yarn``.
        threads: of a local session; 0 = every core.
        memory_limit: of the driver; in a local session that is all the memory of the engine.
        spill: folder of a local session for what does not fit into memory.

    Raises:
        ConfigError: when Spark or Java is missing, or the master is of no kind that is known.
        UpstreamError: when no master answers, or the session cannot be opened.
    """
    if master.startswith("sc://"):
        raise ConfigError(
            "Spark Connect addresses are not supported",
            hint="name a master: local, spark://HOST:PORT, yarn, k8s://...",
        )
    # Said again and again; no table of ours passes through pandas.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ConfigError("the Spark engine is not installed", hint=_INSTALL) from error
    _find_java()
    if master.startswith("spark://"):
        _answers(master)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = dict(_PINNED)
    if master == "local" or master.startswith("local["):
        master = f"local[{threads or '*'}]" if master == "local" else master
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        settings |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": str(LOCAL_PARTITIONS),
        } | ({"spark.local.dir": spill} if spill else {})
    builder = SparkSession.builder.appName("stillwatch").master(master)
    for name, value in (settings | {"spark.driver.memory": _java_size(memory_limit)}).items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise _unopened(master, error) from error
    return SparkEngine(session)


def _find_java() -> None:
    """Refuse what Spark's own scripts would stumble over: a JAVA_HOME without Java, or no Java at all."""
    home = os.environ.get("JAVA_HOME")
    if home and not Path(home, "bin", "java").exists():
        raise ConfigError(f"JAVA_HOME names no Java: {home}", hint=_JAVA)
    if not home and not shutil.which("java"):
        raise ConfigError("Spark needs Java, and there is none", hint=_JAVA)


def _answers(master: str) -> None:
    """Refuse a standalone master of which no address takes a connection."""
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        with suppress(OSError, OverflowError, ValueError):
            socket.create_connection((host.strip("[]"), int(port)), MASTER_ANSWERS_WITHIN_S).close()
            return
    raise UpstreamError(
        f"no Spark master answers at {master}",
        hint="check the address; a master prints its own when it starts",
    )


def _unopened(master: str, error: Exception) -> UpstreamError:
    """Why there is no session.

    A runtime that was cut down to a few modules, as packages of Python bring it, does not start Spark: it lacks
    ``jdk.incubator.vector``, which every Java of Spark's is started with.
    """
    if "JAVA_GATEWAY_EXITED" in str(error):
        return UpstreamError(
            "Java ended before Spark had started", hint=f"what it said stands above; {_JAVA}"
        )
    return UpstreamError(
        f"no Spark session at {master}: {type(error).__name__}",
        hint="check the address, and that the cluster runs the same version of Spark as this program",
    )


def _java_size(limit: str) -> str:
    """A memory limit as Java writes it, in mebibytes.

    >>> _java_size("8GB"), _java_size("1.5 GiB")
    ('7629m', '1536m')
    """
    number = limit.rstrip("KMGTiB ")
    unit = limit[len(number) :].strip()
    base = 1024 if "i" in unit else 1000
    bytes_ = float(number) * base ** ("KMGT".index(unit[0]) + 1)
    return f"{max(int(bytes_ / 2**20), 512)}m"


class SparkEngine:
    """Tables on Spark."""

    salts = SALTS
    in_process = False

    def __init__(self, session: Any) -> None:
        import ibis

        _ = ibis.pyspark  # registers the options that its compiler reads
        self.session = session
        self._frames: dict[str, tuple[str, Any]] = {}
        self._made = 0

    def close(self) -> None:
        """End the session."""
        self.session.stop()

    def table(self, name: str) -> Any:
        """A table as an expression."""
        view, frame = self._frames[name]
        return self._expression(view, frame)

    def local(self, rows: pa.Table) -> Any:
        """A small table of ours as an expression."""
        view = self._view()
        with _told():
            frame = self.session.createDataFrame(rows.combine_chunks())
            frame.createOrReplaceTempView(view)
        return self._expression(view, frame)

    def arrow(self, expression: Any) -> pa.Table:
        """Run an expression."""
        wanted = expression.as_table().schema().to_pyarrow()
        with _told():
            return self.frame(expression).toArrow().cast(wanted)

    def column(self, name: str, column: str) -> np.ndarray:
        """One column of a table in order of ``seq``."""
        t = self.table(name)
        got = self.arrow(t.select("seq", value=t[column]))
        out: np.ndarray = got.column("value").to_numpy()[
            np.argsort(got.column("seq").to_numpy(), kind="stable")
        ]
        return out

    @contextmanager
    def kept(self, expression: Any) -> Iterator[Any]:
        """The result of an expression as a table."""
        name = self._view()
        self.put(name, self.frame(expression))
        try:
            yield self.table(name)
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Forget a table."""
        view, frame = self._frames.pop(name)
        with _told():
            self.session.catalog.dropTempView(view)
            frame.unpersist()

    def discard(self, name: str, seqs: Any) -> None:
        """Take rows out of a table, which is made again only when there are any."""
        out = self.frame(seqs).persist(_on_disk())
        with _told():
            if out.count():
                self.put(name, self._frames[name][1].join(out, "seq", "left_anti"))
            out.unpersist()

    def widen(
        self, name: str, reads: Sequence[str], add: Callable[[Mapping[str, np.ndarray]], Any], new: pa.Schema
    ) -> None:
        """Set more columns beside those of a table, or in their place, batch by batch where the rows lie."""
        frame = self._frames[name][1]
        self.put(name, self.mapped(frame, _Widened(add, tuple(reads), new), _and(frame.schema, new)))

    def frame(self, expression: Any) -> Any:
        """An expression as a data frame."""
        import ibis

        with _told():
            return self.session.sql(str(ibis.to_sql(expression, dialect="pyspark", pretty=False)))

    def mapped(self, frame: Any, function: Callable[..., Any], schema: Any) -> Any:
        """A data frame through a function from batches to batches."""

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            return function(batches)  # type: ignore[no-any-return]  # pyspark names no types

        return frame.mapInArrow(run, schema)

    def put(self, name: str, frame: Any) -> None:
        """Keep a data frame as table ``name``, in place of the one before it."""
        view = self._view()
        with _told():
            frame = frame.persist(_on_disk())
            frame.count()
            if name in self._frames:
                self.drop(name)
            frame.createOrReplaceTempView(view)
        self._frames[name] = (view, frame)

    def _view(self) -> str:
        self._made += 1
        return f"_stillwatch_{id(self):x}_{self._made}"

    @staticmethod
    def _expression(view: str, frame: Any) -> Any:
        import ibis
        from ibis.backends.pyspark.datatypes import PySparkType

        return ibis.table({f.name: PySparkType.to_ibis(f.dataType) for f in frame.schema.fields}, name=view)


@dataclass(frozen=True)
class _Widened:
    """Batches with the columns that a function makes of some of theirs."""

    add: Callable[[Mapping[str, np.ndarray]], Any]
    reads: tuple[str, ...]
    new: pa.Schema

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            got = self.add({name: batch.column(name).to_numpy() for name in self.reads})
            kept = [(f, batch.column(f.name)) for f in batch.schema if f.name not in self.new.names]
            made = [(f, pa.array(got[f.name], f.type)) for f in self.new]
            yield pa.RecordBatch.from_arrays(
                [c for _, c in kept + made], schema=pa.schema([f for f, _ in kept + made])
            )


def spark_schema(schema: pa.Schema) -> Any:
    """An Arrow schema as Spark's."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def _and(schema: Any, new: pa.Schema) -> Any:
    from pyspark.sql.types import StructType

    more = spark_schema(new)
    return StructType([f for f in schema.fields if f.name not in new.names] + list(more.fields))


def _on_disk() -> Any:
    from pyspark import StorageLevel

    return StorageLevel.DISK_ONLY


@contextmanager
def _told() -> Iterator[None]:
    """What Spark says of a failure, without what it quotes: a message may hold a row."""
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        kind = type(error).__name__
        raise UpstreamError(
            f"a step failed on Spark: {kind}{_ours(str(error))}",
            hint="look at the executors' logs; the input must lie at the same path on every worker",
        ) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "py4j":
            raise
        raise UpstreamError(
            f"Spark ended: {type(error).__name__}", hint="look at the driver's and the executors' logs"
        ) from None


MARK = "stillwatch worker: "
"""Begins what a worker of ours says of its own failure; the rest of the line quotes no input."""


def _ours(message: str) -> str:
    said = next((line for line in message.splitlines() if MARK in line), "")
    return f": {said[said.index(MARK) + len(MARK) :].strip()}" if said else ""
