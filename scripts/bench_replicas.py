"""How soon every replica has what was published: a kill switch, and a fresh risk table, through a store they share.

Two `stillwatch gate` processes on one Valkey or Redis. Time runs from before something is published until the last of
the two says, at `/readyz`, that it is in force. Needs `make valkey` or `make redis`.

    python -m scripts.bench_replicas --out docs/data/replicas.json
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

from scripts.bench import machine
from scripts.bench_decide import a_table
from scripts.others import Others
from scripts.started import ROOT, free_port, gate, process
from stillwatch.protect.risk_build import write_table
from stillwatch.settings import ProtectSettings, Settings
from stillwatch.store.valkey import ValkeyBoard
from stillwatch.wiring.gate_folder import RISK, SWITCHES, switches_bytes
from stillwatch.wiring.gate_store import store_server

_PROGRAMS = (str(ROOT / ".cache/valkey/bin/valkey-server"), "valkey-server", "redis-server")
_MOST_S = 60.0
_LOOKS_S = 0.005
"""Between looks at a replica: what the figures may be too long by."""


def ready(port: int) -> dict[str, Any]:
    """What a replica has in force."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/readyz")
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()


def reached(
    ports: Sequence[int], publish: Callable[[], None], there: Callable[[dict[str, Any]], bool]
) -> float:
    """Seconds from before something is published until every replica has it."""
    began = time.perf_counter()
    publish()
    for port in ports:
        while not there(ready(port)):
            if time.perf_counter() - began > _MOST_S:
                raise SystemExit(f"a replica did not take it over within {_MOST_S:g} s")
            time.sleep(_LOOKS_S)  # so that asking takes little from the replica that is to take it over
    return time.perf_counter() - began


def tables(place: Path, accounts: int) -> list[bytes]:
    """Two risk tables that differ by their run."""
    made = []
    table = a_table(accounts)
    for number in (1, 2):
        meta = {**(table.schema.metadata or {}), b"run_digest": f"{number:02x}".encode() * 32}
        write_table(table.replace_schema_metadata(meta), place / RISK)
        made.append((place / RISK).read_bytes())
    return made


def digest_of(raw: bytes) -> str:
    """The run that a table was made of."""
    return str(pa.ipc.open_file(raw).schema.metadata[b"run_digest"].decode())


def _table(ports: Sequence[int], board: ValkeyBoard, raw: bytes) -> float:
    digest = digest_of(raw)
    return reached(ports, lambda: board.put(RISK, raw), lambda told: told["run_digest"] == digest)


def _switch(ports: Sequence[int], board: ValkeyBoard, off: frozenset[str]) -> float:
    data = switches_bytes(off)
    return reached(ports, lambda: board.put(SWITCHES, data), lambda told: told["switched_off"] == sorted(off))


def main() -> None:
    """Measure, print, and write with ``--out``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20, help="kill switches; a quarter as many tables")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise SystemExit("no Valkey or Redis: run `make valkey` or `make redis` first")
    others = Others()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place, at = Path(folder), free_port()
        args = [program, "--port", str(at), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        stack.enter_context(process(args, at, folder=place, env={}))
        url = f"valkey://127.0.0.1:{at}/0"
        ports = []
        for name in ("one", "two"):
            (place / name).mkdir()
            ports.append(stack.enter_context(gate(place / name, settings=f'[protect]\nstore = "{url}"\n')))
        server = store_server(Settings(protect=ProtectSettings(store=url)))
        if server is None:
            raise SystemExit("the store cannot be used")
        board = ValkeyBoard(server)
        stack.callback(board.close)
        made = tables(place, given.accounts)
        fresh = [_table(ports, board, made[n % 2]) for n in range(max(1, given.times // 4))]
        killed = [_switch(ports, board, frozenset({f"rule-{n}"})) for n in range(given.times)]
    row = {
        "accounts": given.accounts, "table_bytes": len(made[0]), "replicas": len(ports),
        "poll_s": ProtectSettings().poll_s, "store": Path(program).name, "machine": machine(),
        "other_cores": others.cores(),
        "kill_s": sorted(round(each, 4) for each in killed), "table_s": sorted(round(each, 4) for each in fresh),
    }  # fmt: skip
    print(json.dumps(row, indent=1))
    if given.out:
        given.out.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
