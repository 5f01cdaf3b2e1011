"""One log in memory, the same for every baseline: sorted, each exchange once, missing columns filled with nulls.

`read_traffic` opens ``exchanges/*.parquet`` and ``accounts.parquet`` of a folder and nothing else; in
particular never ``truth``. The rows come out in one order whatever the order and the sharding of the files were, and
every draw is a digest of the exchange's own id, so a sample does not depend on either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import SourceError
from stillwatch.records import EXCHANGE_REQUIRED

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

TEXT = ("org_id", "client_ip", "client_country", "tls_fingerprint")
"""Columns of an exchange that baselines read as text, beside the prompt."""
NUMBERS = ("input_tokens", "output_tokens")
"""Columns of an exchange that baselines read as numbers; what is no number from 0 to `MOST_TOKENS` is missing."""
MOST_TOKENS = 1e12
"""No exchange has more; sums over a log stay whole numbers."""
PEOPLE = ("org_id", "payment_digest", "status", "created_at")
"""Columns of an account that baselines read."""
HEAD_WORDS = 8
"""Words of a prompt that make its skeleton; digits are masked."""
LETTERS = 1_000
"""Characters of a prompt that are kept; digests are taken of the whole."""
MIN_LETTERS = 40
"""A shorter prompt has no skeleton and is no duplicate: everybody sends ``thanks``."""


@dataclass(frozen=True, slots=True)
class LogFrame:
    """Exchanges sorted by account, time and id, and the accounts that sent them.

    >>> log = pa.table({"exchange_id": ["b", "a"], "started_at": ["2026-03-10T00:00:01Z"] * 2,
    ...                 "account_id": ["x", "x"], "model": ["m", "m"]})
    >>> frame = LogFrame.of(log)
    >>> frame.accounts, frame.account.tolist(), frame.counts().tolist()
    (('x',), [0, 0], [2])
    """

    accounts: tuple[str, ...]
    """Account ids with at least one exchange, ascending."""
    account: I64
    """Per exchange: index into ``accounts``, ascending."""
    time_us: I64
    """Per exchange: microseconds since 1970, UTC."""
    draw: U64
    """Per exchange: 64 bits of the digest of its id; the smallest draws of an account are its sample."""
    prompt_key: U64
    """Per exchange: digest of the prompt without outer white space; 0: none, or shorter than `MIN_LETTERS`."""
    skeleton_key: U64
    """Per exchange: digest of the first `HEAD_WORDS` words, digits masked; 0 as above."""
    prompt: pa.LargeStringArray
    """Per exchange: the first `LETTERS` characters of the prompt; null where there is none. One piece of memory, since
    taking rows from pieces would copy all of them."""
    table: pa.Table
    """Per exchange: the columns of `TEXT` and `NUMBERS`."""
    people: pa.Table
    """Per account of ``accounts``: the columns of `PEOPLE`; nulls where the account table has no row."""
    refused: int
    """Rows without id, account or time, and repeats of an id."""

    @classmethod
    def of(cls, exchanges: pa.Table, accounts: pa.Table | None = None) -> LogFrame:
        """A frame of tables in memory."""
        con = _connect()
        con.register("given", exchanges)
        if accounts is not None:
            con.register("known", accounts)
        return _build(con, "given", None if accounts is None else "known", "exchanges")

    def counts(self) -> I64:
        """Exchanges per account."""
        return np.bincount(self.account, minlength=len(self.accounts)).astype(np.int64)

    def starts(self) -> I64:
        """First exchange of each account, and one past the last: shape ``(accounts + 1,)``."""
        return np.concatenate([[0], np.cumsum(self.counts())]).astype(np.int64)

    def numbers(self, column: str) -> F64:
        """A column of `NUMBERS`; NaN where missing."""
        return np.asarray(self.table[column].to_numpy(zero_copy_only=False), dtype=np.float64)

    def codes(self, column: str) -> I64:
        """A column of `TEXT` as small integers; -1 where missing."""
        return codes(self.table[column])

    def sample(self, per_account: int) -> I64:
        """Rows of at most ``per_account`` exchanges of each account, drawn without regard to content; ascending."""
        order = np.lexsort((self.draw, self.account))
        rank = np.arange(len(order)) - self.starts()[self.account[order]]
        return np.sort(order[rank < per_account])


def codes(column: pa.ChunkedArray) -> I64:
    """Distinct values as small integers in order of appearance; -1 for null.

    >>> codes(pa.chunked_array([["b", None, "a", "b"]])).tolist()
    [0, -1, 1, 0]
    """
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)


def read_traffic(folder: Path) -> LogFrame:
    """Read a world or a log in the data contract's folders, without its sealed truth.

    Raises
    ------
    SourceError
        No exchanges, a file that is no Parquet, or a required column missing.
    """
    files = sorted((Path(folder) / "exchanges").glob("*.parquet"))
    if not files:
        raise SourceError(
            str(folder),
            "no exchanges/*.parquet",
            hint="name the folder that holds exchanges/ and accounts.parquet",
        )
    people = Path(folder) / "accounts.parquet"
    for file in [*files, people] if people.is_file() else files:
        _must_be_parquet(file)
    con = _connect()
    try:
        _view(con, "given", files)
        if people.is_file():
            _view(con, "known", [people])
        return _build(con, "given", "known" if people.is_file() else None, str(folder))
    except duckdb.Error as error:
        raise SourceError(
            str(folder), str(error).splitlines()[0], hint="a damaged file, or a column of an unexpected type"
        ) from error


def _connect() -> Any:
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'; set threads = 2")
    return con


def _must_be_parquet(file: Path) -> None:
    try:
        pq.read_schema(file)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            str(file), "no readable Parquet file", hint="name a folder of whole files"
        ) from error


def _view(con: Any, name: str, files: list[Path]) -> None:
    """Exactly these files: a folder's name is neither a pattern nor a column, whatever it says."""
    listed = ", ".join(f"'{_literal(f)}'" for f in files)
    con.execute(
        f"create view {name} as select * from"  # noqa: S608
        f" read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    )


def _literal(file: Path) -> str:
    """A path as DuckDB takes it to the letter.

    >>> _literal(Path("/a[1]/it's*.parquet"))
    "/a[[]1]/it''s[*].parquet"
    """
    return re.sub(r"([*?\[])", r"[\1]", str(file.absolute())).replace("'", "''")


def _columns(con: Any, name: str) -> set[str]:
    return {row[0] for row in con.execute(f"describe {name}").fetchall()}


def _pick(column: str, have: set[str], kind: str) -> str:
    if column not in have:
        return f"null::{kind} as {column}"
    if kind == "double":
        value = f"try_cast({column} as double)"
        return f"case when {value} between 0 and {MOST_TOKENS:.0f} then {value} end as {column}"
    return f"try_cast({column} as {kind}) as {column}"


def _exchange_sql(have: set[str]) -> str:
    """Typed rows, digests beside them; a repeated id keeps its earliest row."""
    picked = [_pick(c, have, "varchar") for c in ("exchange_id", "account_id", "prompt", *TEXT)]
    picked += [_pick(c, have, "double") for c in NUMBERS]
    return f"""
        with typed as (
            select {", ".join(picked)}, epoch_us(try_cast(started_at as timestamptz)) as time_us from given),
        once as (
            select * from typed where exchange_id is not null and account_id is not null and time_us is not null
            qualify row_number() over (partition by exchange_id order by time_us, account_id, md5(prompt)) = 1)
        select * exclude (prompt), left(prompt, {LETTERS}) as prompt, md5_number_lower(exchange_id) as draw,
            coalesce(len(prompt), 0) >= {MIN_LETTERS} as long,
            case when long then md5_number_lower(trim(prompt, E' \\n\\t\\r')) else 0 end as prompt_key,
            case when long then md5_number_lower(regexp_replace(regexp_extract(lower(left(prompt, 200)),
                '^\\s*(\\S+\\s+){{0,{HEAD_WORDS - 1}}}\\S+'), '[0-9]+', '0', 'g')) else 0 end as skeleton_key
        from once order by account_id, time_us, exchange_id"""  # noqa: S608


def _build(con: Any, given: str, known: str | None, where: str) -> LogFrame:
    have = _columns(con, given)
    missing = sorted(EXCHANGE_REQUIRED - have)
    if missing:
        raise SourceError(where, f"required column {missing[0]} is missing", hint="see the data contract")
    rows = con.sql(_exchange_sql(have)).to_arrow_table()
    total = con.sql(f"select count(*) from {given}").fetchall()[0][0]  # noqa: S608
    encoded = rows["account_id"].combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = (
            encoded.combine_chunks() if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
        )
    accounts = tuple(encoded.dictionary.to_pylist())
    return LogFrame(
        accounts=accounts,
        account=np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64),
        time_us=_integers(rows["time_us"], np.int64),
        draw=_integers(rows["draw"], np.uint64),
        prompt_key=_integers(rows["prompt_key"], np.uint64),
        skeleton_key=_integers(rows["skeleton_key"], np.uint64),
        prompt=_whole(rows["prompt"]),
        table=rows.select([*TEXT, *NUMBERS]),
        people=_people(con, known, accounts),
        refused=int(total) - rows.num_rows,
    )


def _whole(column: pa.ChunkedArray) -> pa.LargeStringArray:
    whole = column.cast(pa.large_string()).combine_chunks()
    return (
        pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) and whole.num_chunks else whole
    )


def _integers(column: pa.ChunkedArray, kind: Any) -> Any:
    return np.asarray(column.to_numpy(), dtype=kind)


def _people(con: Any, known: str | None, accounts: tuple[str, ...]) -> pa.Table:
    """One row per account in order; where the account table repeats an account, its earliest row."""
    con.register(
        "seen", pa.table({"account_id": pa.array(accounts, pa.string()), "place": range(len(accounts))})
    )
    have = _columns(con, known) if known else set()
    kinds = {c: "timestamptz" if c == "created_at" else "varchar" for c in PEOPLE}
    if "account_id" not in have:
        nulls = ", ".join(_pick(c, set(), kinds[c]) for c in PEOPLE)
        return con.sql(f"select {nulls} from seen order by place").to_arrow_table()  # noqa: S608
    picked = [_pick(c, have, kinds[c]) for c in PEOPLE]
    return con.sql(
        f"""with rows as (select try_cast(account_id as varchar) as account_id, {", ".join(picked)} from {known}),
            once as (select * from rows qualify row_number() over (
                partition by account_id order by created_at nulls last, payment_digest, org_id, status) = 1)
            select {", ".join(PEOPLE)} from seen left join once using (account_id) order by place"""  # noqa: S608
    ).to_arrow_table()
