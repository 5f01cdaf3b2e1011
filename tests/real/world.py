"""The places and software requests come from: addresses, client stacks, versions over time."""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

from .sources import _text

START = datetime(2026, 11, 16, tzinfo=UTC)
"""Monday 00:00, the first moment of the week."""

CLOUDS = {
    "amazon": 16509,
    "google": 396982,
    "microsoft": 8075,
    "digitalocean": 14061,
    "linode": 63949,
    "oracle": 31898,
    "vultr": 20473,
}
HOMES = {
    "US": [("73.0.0.0/8", 7922), ("24.0.0.0/12", 7922), ("99.0.0.0/11", 7018), ("71.160.0.0/11", 701)],
    "DE": [("79.192.0.0/10", 3320), ("91.0.0.0/10", 3320)],
    "GB": [("86.128.0.0/10", 2856), ("81.96.0.0/12", 5089)],
    "FR": [("90.0.0.0/9", 3215), ("82.64.0.0/14", 12322)],
    "IN": [("49.32.0.0/11", 55836), ("106.192.0.0/11", 45609)],
    "JP": [("153.128.0.0/9", 4713), ("126.0.0.0/8", 17676)],
    "BR": [("177.32.0.0/12", 28573), ("189.0.0.0/11", 26599)],
    "CA": [("99.224.0.0/11", 812), ("70.48.0.0/13", 577)],
    "AU": [("120.144.0.0/12", 1221), ("110.32.0.0/12", 4804)],
    "KR": [("121.128.0.0/10", 4766), ("211.192.0.0/11", 4766)],
    "NL": [("84.80.0.0/13", 1136), ("77.160.0.0/13", 1136)],
    "VN": [("113.160.0.0/11", 45899), ("14.160.0.0/11", 45899)],
    "SG": [("116.86.0.0/15", 9506), ("118.200.0.0/15", 9506)],
    "CN": [("114.80.0.0/12", 4812), ("123.112.0.0/12", 4808)],
}
COUNTRY_WEIGHTS = (34, 9, 8, 6, 13, 6, 5, 4, 3, 4, 3, 2, 2, 1)
OFFSETS = {
    "US": 18,
    "DE": 1,
    "GB": 0,
    "FR": 1,
    "IN": 5,
    "JP": 9,
    "BR": 21,
    "CA": 19,
    "AU": 10,
    "KR": 9,
    "NL": 1,
    "VN": 7,
    "SG": 8,
    "CN": 8,
}
STACKS = {
    # name: (user agent, package, language, runtimes, weight among ordinary API accounts)
    "openai-python": ("OpenAI/Python {v}", "OpenAI/Python", "python", ("3.10", "3.11", "3.12", "3.13"), 30),
    "openai-async": ("AsyncOpenAI/Python {v}", "OpenAI/Python", "python", ("3.11", "3.12", "3.13"), 9),
    "openai-js": ("OpenAI/JS {v}", "OpenAI/JS", "js", ("v18.20", "v20.19", "v22.14", "v24.9"), 15),
    "anthropic-python": ("Anthropic/Python {v}", "Anthropic/Python", "python", ("3.11", "3.12", "3.13"), 8),
    "anthropic-js": ("Anthropic/JS {v}", "Anthropic/JS", "js", ("v20.19", "v22.14"), 5),
    "langchain": ("OpenAI/Python {v}", "OpenAI/Python", "python", ("3.10", "3.11", "3.12"), 8),
    "cli": ("claude-cli/{v} (external, cli)", "claude-cli", "js", ("v20.19", "v22.14", "v24.3"), 5),
    "curl": ("curl/{r}", "", "", ("7.88.1", "8.5.0", "8.7.1", "8.14.1"), 4),
    "requests": ("python-requests/{r}", "", "", ("2.28.2", "2.31.0", "2.32.3", "2.32.5"), 5),
    "aiohttp": ("Python/3.11 aiohttp/{r}", "", "", ("3.9.5", "3.11.18", "3.12.15"), 3),
    "go": ("OpenAI/Go {v}", "OpenAI/Go", "go", ("go1.23", "go1.24", "go1.25"), 3),
    "axios": ("axios/{r}", "", "", ("1.6.8", "1.7.9", "1.11.0"), 3),
    "browser": (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/{r}.0.0.0 Safari/537.36",
        "",
        "",
        ("138", "140", "141", "142"),
        9,
    ),
}
PACKAGES = {
    "OpenAI/Python": (9, 100),
    "OpenAI/JS": (10, 95),
    "Anthropic/Python": (11, 120),
    "Anthropic/JS": (12, 115),
    "claude-cli": (4, 200),
    "OpenAI/Go": (14, 90),
}


def stream(seed: int, name: str) -> random.Random:
    """An independent, repeatable stream of draws for one part of the week."""
    return random.Random(f"{seed}:{name}")


def digest(*parts: object, size: int = 8) -> str:
    """A short repeatable identifier."""
    return blake2b("|".join(map(str, parts)).encode(), digest_size=size).hexdigest()


@dataclass(frozen=True, slots=True)
class Env:
    """Everything a request shows of where it comes from."""

    ip: str
    asn: int | None
    country: str
    user_agent: str
    tls: str
    headers: tuple[tuple[str, str], ...] = ()
    device: str | None = None


class World:
    """Addresses and software to draw from; holds no state that depends on the order of draws."""

    def __init__(self, shared: Path, seed: int) -> None:
        folder = shared / "data" / "ip"
        self.clouds = {
            name: [
                ipaddress.ip_network(s) for s in _text(folder / "lord_alfred" / f"{name}_ipv4.txt").split()
            ]
            for name in CLOUDS
        }
        self.vpn = [ipaddress.ip_network(s) for s in _text(folder / "x4b_vpn_ipv4.txt.gz").split()]
        found = (
            line.rpartition("/")[2].partition(":")[0] for line in _text(folder / "proxies_all.txt").split()
        )
        self.proxies = sorted({p for p in found if p.count(".") == 3})
        self.hosting_asns = [
            int(line.split()[0][2:])
            for line in _text(folder / "x4b_datacenter_ASN.txt").splitlines()
            if line.startswith("AS")
        ]
        rnd = stream(seed, "releases")
        self.releases = {name: self._history(rnd, *PACKAGES[name]) for name in sorted(PACKAGES)}

    @staticmethod
    def _history(rnd: random.Random, every: int, minors: int) -> list[tuple[str, datetime]]:
        out, at, major, minor = [], START - timedelta(days=3 * 365), 1, 0
        while at < START + timedelta(days=7):
            out.append((f"{major}.{minor}.{0 if rnd.random() < 0.8 else 1}", at))
            at += timedelta(days=every * rnd.uniform(0.4, 1.6), hours=rnd.uniform(0, 10))
            minor += 1
            if minor >= minors:
                major, minor = major + 1, 0
        return out

    # --- addresses -------------------------------------------------------------------------------------

    def cloud(self, rnd: random.Random, name: str | None = None) -> tuple[str, int]:
        """A hosting address and its network number."""
        name = name or rnd.choice(sorted(CLOUDS))
        return self._inside(rnd, rnd.choice(self.clouds[name])), CLOUDS[name]

    def home(self, rnd: random.Random, country: str) -> tuple[str, int]:
        """A residential address."""
        block, asn = rnd.choice(HOMES[country])
        return self._inside(rnd, ipaddress.ip_network(block)), asn

    def vpn_exit(self, rnd: random.Random) -> tuple[str, int]:
        """An exit of a public VPN."""
        return self._inside(rnd, rnd.choice(self.vpn)), 9009

    @staticmethod
    def _inside(rnd: random.Random, net: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
        low = 1 if net.num_addresses > 2 else 0
        return str(net[rnd.randrange(low, max(low + 1, net.num_addresses - 1))])

    def near(self, rnd: random.Random, ip: str, prefix: int) -> str:
        """Another address of the same block."""
        return self._inside(rnd, ipaddress.ip_network(f"{ip}/{prefix}", strict=False))

    def country(self, rnd: random.Random) -> str:
        return rnd.choices(sorted(HOMES, key=list(HOMES).index), COUNTRY_WEIGHTS)[0]

    # --- software --------------------------------------------------------------------------------------

    def version(self, rnd: random.Random, package: str, built: datetime) -> str:
        """Adoption: a third follow releases, two fifths lag by months, the rest never upgrade."""
        known, draw = self.releases[package], rnd.random()
        if draw < 0.35:
            when = START - timedelta(days=rnd.expovariate(1 / 10))
        elif draw < 0.75:
            when = START - timedelta(days=rnd.expovariate(1 / 110))
        else:
            when = built
        older = [v for v, at in known if at <= when]
        return older[-1] if older else known[0][0]

    def stack(self, rnd: random.Random, name: str | None, built: datetime, version: str | None = None) -> Env:
        """A client stack on an unnamed place; ``at`` puts it somewhere."""
        if name is None:
            name = rnd.choices(list(STACKS), [s[4] for s in STACKS.values()])[0]
        agent, package, lang, runtimes, _ = STACKS[name]
        runtime = rnd.choice(runtimes)
        version = version or (self.version(rnd, package, built) if package else "")
        os = rnd.choices(("Linux", "MacOS", "Windows"), (6, 3, 2))[0]
        arch = rnd.choice(("x64", "arm64")) if os != "Windows" else "x64"
        family = name.replace("async", "python").replace("langchain", "openai-python").split("-")[-1]
        shape = {"browser": "t13d1516h2", "go": "t13d1311h2"}.get(name, "t13d1812h1")
        tls = f"{shape}_{digest(family, runtime, size=6)}_{digest(family, os, runtime, size=6)}"
        if name == "browser":
            tls = f"{shape}_8daaf6152771_{digest('chrome', runtime, size=6)}"
        headers: list[tuple[str, str]] = []
        if lang:
            kind = {"python": "CPython", "js": "node", "go": "go"}[lang]
            patch = f"{runtime}.{rnd.randrange(1, 9)}" if lang != "go" else runtime
            headers = [
                ("x-stainless-lang", lang),
                ("x-stainless-package-version", version),
                ("x-stainless-os", os),
                ("x-stainless-arch", arch),
                ("x-stainless-runtime", kind),
                ("x-stainless-runtime-version", patch),
                ("x-stainless-async", "async:asyncio" if name == "openai-async" else "false"),
            ]
        if name == "langchain":
            headers.append(("x-langchain-source", "langchain-openai"))
        device = digest("device", rnd.random(), size=16) if name in ("cli", "browser") else None
        return Env("", None, "", agent.format(v=version, r=runtime), tls, tuple(headers), device)


def at(env: Env, place: tuple[str, int], country: str) -> Env:
    """The same software somewhere."""
    return replace(env, ip=place[0], asn=place[1], country=country)
