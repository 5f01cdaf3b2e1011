"""Client software: families, versions on an adoption curve, platforms, and the TLS fingerprint that the
stack implies.

Fingerprints depend on the stack and its runtime only, so they are shared by everybody on that stack. Names
and fingerprints are invented; the header names are those that generated SDKs send.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from stillwatch.lab.hashing import I64, hex_ids, mix

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Family:
    """One client program."""

    name: str
    """As in ``client_releases.jsonl``."""
    agent: str
    """User agent; ``{v}``, ``{os}``, ``{rv}`` are filled in."""
    lang: str
    """SDK language for ``x-stainless-lang``; empty when the client sends no such headers."""
    runtime: str
    """Name of the runtime, for the headers."""
    runtimes: tuple[str, ...]
    """Its versions in use."""
    systems: tuple[str, ...]
    """System and architecture, as often as they are common."""
    channel: str
    """``api`` or ``chat``."""
    weight: float
    """Share of accounts. Design choice: no public count exists."""
    cadence_days: float
    """Mean days between releases. Design choice."""
    major: str
    """First part of the version."""


_SERVER = ("Linux/x64", "Linux/x64", "Linux/x64", "Linux/arm64", "MacOS/arm64", "Windows/x64")
_DESK = ("MacOS/arm64", "MacOS/arm64", "Windows/x64", "Windows/x64", "Linux/x64", "MacOS/x64")
_PY = ("3.9.18", "3.10.14", "3.11.9", "3.12.4", "3.12.7", "3.13.1")
_NODE = ("v18.20.4", "v20.11.1", "v20.18.0", "v22.9.0", "v22.14.0", "v23.4.0")

FAMILIES: tuple[Family, ...] = (
    Family("acorn-python", "Acorn/Python {v}", "python", "CPython", _PY, _SERVER, "api", 0.27, 6, "1"),
    Family("acorn-node", "Acorn/JS {v}", "js", "node", _NODE, _SERVER, "api", 0.16, 6, "4"),
    Family("chainkit", "chainkit/{v} acorn-python", "python", "CPython", _PY, _SERVER, "api", 0.09, 5, "0"),
    Family("gatelite", "gatelite/{v}", "python", "CPython", _PY[1:4], _SERVER[:4], "api", 0.05, 3, "1"),
    Family(
        "acorn-go",
        "Acorn/Go {v}",
        "go",
        "go",
        ("go1.21.9", "go1.22.5", "go1.23.2"),
        _SERVER,
        "api",
        0.04,
        12,
        "0",
    ),
    Family(
        "okhttp", "okhttp/{v}", "", "jvm", ("17", "21"), ("Linux/x64", "Android/arm64"), "api", 0.03, 60, "4"
    ),
    Family("reqwest", "reqwest/{v}", "", "rust", ("1",), ("Linux/x64",), "api", 0.02, 45, "0"),
    Family(
        "curl",
        "curl/{v}",
        "",
        "c",
        ("openssl3", "openssl1", "schannel"),
        ("Linux/x64", "MacOS/arm64"),
        "api",
        0.03,
        60,
        "8",
    ),
    Family("requests", "python-requests/{v}", "", "CPython", _PY[:4], ("Linux/x64",), "api", 0.03, 90, "2"),
    Family("flowbox", "flowbox/{v}", "", "node", _NODE[2:4], ("Linux/x64",), "api", 0.02, 7, "1"),
    Family("tern-cli", "tern-cli/{v} (external, cli)", "js", "node", _NODE[1:], _DESK, "api", 0.06, 3, "2"),
    Family(
        "ide-plugin",
        "quillpad/{v} ({os})",
        "js",
        "electron",
        ("v20.18.0", "v22.9.0"),
        _DESK,
        "api",
        0.03,
        8,
        "0",
    ),
    Family(
        "chrome",
        "Mozilla/5.0 ({os}) Chrome/{v} Safari/537.36",
        "",
        "blink",
        ("1",),
        _DESK,
        "chat",
        0.09,
        28,
        "13",
    ),
    Family(
        "safari",
        "Mozilla/5.0 ({os}) Version/{v} Safari/605",
        "",
        "webkit",
        ("1",),
        ("MacOS/arm64", "iOS/arm64"),
        "chat",
        0.04,
        50,
        "18",
    ),
    Family("firefox", "Mozilla/5.0 ({os}) Firefox/{v}", "", "gecko", ("1",), _DESK, "chat", 0.02, 28, "13"),
    Family(
        "phone-app",
        "AcornApp/{v} ({os})",
        "",
        "mobile",
        ("1",),
        ("iOS/arm64", "Android/arm64"),
        "chat",
        0.04,
        10,
        "1",
    ),
    Family(
        "rare-sdk",
        "heron-sdk/{v} (+deno)",
        "js",
        "deno",
        ("2.0.3", "2.1.4"),
        ("Linux/x64", "MacOS/arm64"),
        "api",
        0.002,
        9,
        "0",
    ),
    Family(
        "proxy-router",
        "proxy-router/{v}",
        "",
        "go",
        ("go1.22.5", "go1.23.2"),
        ("Linux/x64",),
        "api",
        0.003,
        10,
        "0",
    ),
    Family("cloud-sdk", "cloud-sdk/{v} runtime", "", "CPython", _PY, _SERVER, "bedrock", 0.0, 4, "1"),
    Family("vertex-sdk", "vertex-sdk/{v}", "", "CPython", _PY, _SERVER, "vertex", 0.0, 9, "1"),
)
"""Every client of the simulated world; weights sum to about one. The two of weight nought are for campaigns that
split their load over partner clouds."""

NUMBER = {f.name: i for i, f in enumerate(FAMILIES)}
_WEIGHTS = np.array([f.weight for f in FAMILIES])
_CHAT = np.array([f.channel == "chat" for f in FAMILIES])


@dataclass(frozen=True, slots=True)
class ClientRow:
    """What the log shows of one client build."""

    agent: str
    """User agent."""
    tls: str
    """TLS fingerprint."""
    headers: list[tuple[str, str]] | None
    """SDK headers, none for a plain client."""


class Clients:
    """Release history of every family in one world, and the decoding of client codes."""

    def __init__(self, rng: np.random.Generator, start_us: int, end_us: int) -> None:
        self._salt = int(rng.integers(1, 2**40))
        self.released: list[I64] = []
        self.versions: list[list[str]] = []
        for family in FAMILIES:
            gaps = rng.gamma(2.0, family.cadence_days / 2.0, 400) * DAY_US
            back = np.cumsum(gaps)
            times = np.sort(end_us - back[back < end_us - start_us + 500 * DAY_US]).astype(np.int64)
            self.released.append(times)
            minor0 = int(rng.integers(2, 30))
            self.versions.append([f"{family.major}.{minor0 + i // 3}.{i % 3}" for i in range(len(times))])

    def draw(self, rng: np.random.Generator, size: int, chat: bool = False) -> I64:
        """Family number per account, by weight within its channel kind."""
        w = _WEIGHTS * (_CHAT if chat else ~_CHAT)
        return rng.choice(len(FAMILIES), size, p=w / w.sum()).astype(np.int64)

    def lags(self, rng: np.random.Generator, size: int) -> I64:
        """How long after its release an account takes up a version: auto-updaters, ordinary, pinned."""
        kind = rng.random(size)
        days = np.where(kind < 0.3, rng.exponential(2.0, size), rng.exponential(18.0, size))
        days = np.where(kind > 0.87, 60 + rng.exponential(90.0, size), days)
        return (np.minimum(days, 420) * DAY_US).astype(np.int64)

    def variants(self, rng: np.random.Generator, families: I64) -> I64:
        """Platform and runtime number per account."""
        return rng.integers(0, 1 << 16, len(families)).astype(np.int64)

    def codes(self, family: I64, variant: I64, seen_us: I64) -> I64:
        """Client code: the newest version released at ``seen_us`` (time minus lag) of each row's family."""
        out = np.zeros(len(family), dtype=np.int64)
        for number in np.unique(family).tolist():
            rows = family == number
            version = np.searchsorted(self.released[number], seen_us[rows], side="right") - 1
            out[rows] = np.maximum(version, 0)
        return (family << np.int64(40)) | (out << np.int64(20)) | variant

    def decode(self, code: int) -> ClientRow:
        """User agent, fingerprint and headers of a code."""
        family = FAMILIES[code >> 40]
        version = self.versions[code >> 40][(code >> 20) & 0xFFFFF]
        variant = code & 0xFFFFF
        system = family.systems[variant % len(family.systems)]
        runtime = family.runtimes[(variant // 7) % len(family.runtimes)]
        os_name, arch = system.split("/")
        agent = family.agent.format(v=version, os=os_name, rv=runtime)
        major = ".".join(runtime.split(".")[:2]) if family.runtime in ("CPython", "node") else runtime
        build = f"{family.runtime}{major}{os_name == 'Windows'}"
        if family.channel == "chat" and family.runtime != "mobile":
            build = f"{family.runtime}{version.split('.')[0]}"
        tls = self._fingerprint(build, modern=bool(family.lang) or family.channel == "chat")
        if not family.lang:
            return ClientRow(agent, tls, None)
        headers = [
            ("x-stainless-lang", family.lang),
            ("x-stainless-package-version", _sdk_version(version)),
            ("x-stainless-os", os_name),
            ("x-stainless-arch", arch),
            ("x-stainless-runtime", family.runtime),
            ("x-stainless-runtime-version", runtime),
        ]
        return ClientRow(agent, tls, headers)

    def _fingerprint(self, build: str, *, modern: bool) -> str:
        """A JA4-shaped string: a function of the stack and of nothing else."""
        number = crc32(build.encode())
        body = hex_ids(mix(np.array([number]), self._salt))[0]
        return f"t13d{10 + number % 8}{8 + number // 8 % 7:02d}h{2 if modern else 1}_{body[:12]}_{body[4:]}"


def _sdk_version(version: str) -> str:
    major, minor, patch = version.split(".")
    return f"0.{int(minor) + 40 + int(major)}.{patch}"
