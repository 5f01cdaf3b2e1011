"""The TAXII server beside medallion, on the same objects: both as processes on the loopback, asked by the same client.

medallion 3.0.0 (BSD) is the server that the OASIS committee publishes. It runs with its memory backend, the one that
works after installing it alone (the other wants MongoDB), and with its own command, which serves with Flask's server;
ours runs with its own command on SQLite. A step that takes longer than ``--patience`` is ended and said so; where
sending was ended, medallion is started again from a file of its own form that holds all objects.
"""

from __future__ import annotations

import json
import os
import platform
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from scripts.bench_taxii import COLLECTION, stix
from stillwatch.records.sharing import Tlp
from stillwatch.share.taxii import members
from stillwatch.share.taxii.media import TAXII
from stillwatch.store.sql import open_database, set_up_tables, writing
from stillwatch.wiring.taxii import now_us

ROOT = "community"
BATCH, PAGE = 500, 500
Json = dict[str, Any]


@dataclass(frozen=True)
class Server:
    """A server that runs, and how it is asked."""

    name: str
    pid: int
    client: httpx.Client

    @property
    def path(self) -> str:
        """The collection."""
        return f"/{ROOT}/collections/{COLLECTION}/"

    def get(self, what: str, **params: Any) -> Json:
        """What a request gives."""
        got = self.client.get(self.path + what, params=params)
        got.raise_for_status()
        told: Json = got.json()
        return told

    def cpu_s(self) -> float:
        """The CPU time that the process has taken."""
        spent = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        """The most memory that the process has had."""
        status = Path(f"/proc/{self.pid}/status").read_text("utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def ours(folder: Path, patience_s: float) -> Iterator[Server]:
    """Our server, empty, with one member."""
    store = f"sqlite:///{folder / 'taxii.db'}"
    engine = open_database(store)
    set_up_tables(engine, members.set_up)
    with writing(engine) as conn:
        members.put_collection(conn, COLLECTION, "All", root=ROOT, description="", holds=Tlp.RED)
        members.put_member(conn, "north", clearance=Tlp.RED, identity=None, active=True, now_us=now_us())
        token = members.new_token(conn, "north", expires_us=now_us() + 10**12, now_us=now_us(), alone=False)
        members.allow(conn, "north", str(COLLECTION), can_read=True, can_write=True)
    engine.dispose()
    settings = folder / "stillwatch.toml"
    settings.write_text(f'[taxii]\nstore = "{store}"\n', "utf-8")
    command = [
        sys.executable, "-m", "stillwatch", "share", "serve", "-l", "127.0.0.1:0", "--settings", str(settings),
    ]  # fmt: skip
    with _running(command, folder) as (process, log):
        address = _until(lambda: re.search(r"listening on (\S+);", log.read_text("utf-8")), process)
        server = _asked("stillwatch", process, address[1], patience_s, {"authorization": f"Bearer {token}"})
        with server.client:
            yield server


@contextmanager
def medallion(python: str, folder: Path, patience_s: float, objects: Sequence[Json] = ()) -> Iterator[Server]:
    """Medallion, with these objects in the file that it starts from."""
    data, config = folder / "data.json", folder / "config.json"
    data.write_text(json.dumps(_as_medallion_keeps(objects)), "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config.write_text(json.dumps({
        "backend": {
            "module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": str(data),
        },
        "users": {"north": "north"}, "taxii": {"max_page_size": PAGE},
    }), "utf-8")  # fmt: skip
    command = [python, "-m", "medallion.scripts.run", "--port", str(port), str(config)]
    with _running(command, folder) as (process, _):
        server = _asked("medallion", process, f"http://127.0.0.1:{port}", patience_s, {})
        server.client.auth = httpx.BasicAuth("north", "north")
        with server.client:
            _until(lambda: _answers(server), process)
            yield server


def beside(python: str, counts: Sequence[int], patience_s: float, seed: int) -> None:
    """Measure both at every size, and print."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; at most {patience_s:.0f} s a step")
    for count in counts:
        draw = random.Random(seed)  # noqa: S311  synthetic
        objects = [stix(number, draw) for number in range(count)]
        some = [objects[at]["id"] for at in range(0, count, max(1, count // 5))][:5]
        for name in ("stillwatch", "medallion"):
            with tempfile.TemporaryDirectory(prefix="stillwatch-") as folder:
                place = Path(folder)
                start = (
                    ours(place, patience_s) if name == "stillwatch" else medallion(python, place, patience_s)
                )
                with start as server:
                    sent = _step(
                        server,
                        count,
                        f"sent in requests of {BATCH}",
                        partial(_sent, server, objects, patience_s),
                    )
                    if sent:
                        _reads(server, count, some, patience_s)
                if not sent and name == "medallion":
                    with medallion(python, place, patience_s, objects) as server:
                        print(f"{name:11} {count:9,}  started again from a file that holds all")
                        _reads(server, count, some, patience_s)


def _reads(server: Server, count: int, some: Sequence[str], patience_s: float) -> None:
    for what, job in (
        (f"{len(some)} objects by id, one after another", partial(_singles, server, some)),
        (f"first page of {PAGE}", partial(server.get, "objects/", limit=PAGE)),
        (f"all in pages of {PAGE}, each once", partial(_paged, server, count, patience_s)),
    ):
        if not _step(server, count, what, job):
            break
    print(
        f"{server.name:11} {count:9,}  {'most memory of the process':36} {server.peak_mb():10,.0f} MB",
        flush=True,
    )


def _singles(server: Server, some: Sequence[str]) -> None:
    if [server.get(f"objects/{each}/")["objects"][0]["id"] for each in some] != list(some):
        raise SystemExit(f"{server.name} gave other objects than were asked for")


def _sent(server: Server, objects: Sequence[Json], patience_s: float) -> None:
    began = time.monotonic()
    for start in range(0, len(objects), BATCH):
        if time.monotonic() - began > patience_s:
            raise httpx.TimeoutException("longer than the patience")
        content = json.dumps({"objects": objects[start : start + BATCH]}).encode()
        got = server.client.post(server.path + "objects/", content=content, headers={"content-type": TAXII})
        got.raise_for_status()
        if got.json()["failure_count"]:
            raise SystemExit(f"{server.name} did not take {got.json()['failure_count']} objects")


def _paged(server: Server, count: int, patience_s: float) -> None:
    began, seen, params = time.monotonic(), [], {"limit": PAGE}
    while True:
        told = server.get("objects/", **params)
        seen += [each["id"] for each in told["objects"]]
        if not told.get("more"):
            break
        params["next"] = told["next"]
        if time.monotonic() - began > patience_s:
            raise httpx.TimeoutException("longer than the patience")
    if len(seen) != count or len(set(seen)) != count:
        raise SystemExit(f"{server.name}: paged {len(seen)}, {len(set(seen))} different, of {count}")


def _step(server: Server, count: int, what: str, job: Callable[[], Any]) -> bool:
    """Do it and print what it took; whether it ended within the patience."""
    began, cpu, ended = time.perf_counter(), server.cpu_s(), True
    try:
        job()
    except httpx.TimeoutException:
        ended = False
    spent, cpu = time.perf_counter() - began, server.cpu_s() - cpu
    said = "" if ended else ", and was ended"
    print(
        f"{server.name:11} {count:9,}  {what:36} {spent:10,.3f} s, {cpu:8,.2f} s of the server's CPU{said}",
        flush=True,
    )
    return ended


@contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            yield process, log
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until(what: Callable[[], Any], process: subprocess.Popen[bytes]) -> Any:
    for _ in range(1200):
        if found := what():
            return found
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode} before it answered")
        time.sleep(0.1)  # before the server is asked again; nothing announces that it listens
    raise SystemExit("the server did not answer within two minutes")


def _answers(server: Server) -> bool:
    try:
        return server.client.get("/taxii2/", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _asked(
    name: str, process: subprocess.Popen[bytes], address: str, patience_s: float, headers: dict[str, str]
) -> Server:
    client = httpx.Client(base_url=address, headers={"accept": TAXII, **headers}, timeout=patience_s)
    return Server(name, process.pid, client)


def _as_medallion_keeps(objects: Sequence[Json]) -> Json:
    """The file that medallion's memory backend starts from; one time for all objects, as one request gives them."""
    kept = {
        "id": str(COLLECTION), "title": "All", "can_read": True, "can_write": True, "objects": list(objects),
        "media_types": ["application/stix+json;version=2.1"],
        "manifest": [
            {"id": each["id"], "date_added": "2026-11-02T00:00:00.000000Z", "version": each["modified"],
             "media_type": "application/stix+json;version=2.1"} for each in objects
        ],
    }  # fmt: skip
    about = {
        "title": "One",
        "versions": ["application/taxii+json;version=2.1"],
        "max_content_length": 104_857_600,
    }
    return {
        "/discovery": {"title": "Two servers", "api_roots": [f"http://127.0.0.1/{ROOT}/"]},
        ROOT: {"information": about, "status": [], "collections": [kept]},
    }


__all__ = ["beside"]
