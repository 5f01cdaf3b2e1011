"""Places and software of the second week that the first does not have."""

from __future__ import annotations

import ipaddress
import random
from datetime import datetime
from pathlib import Path

from ..sources import _text
from ..world import HOMES, OFFSETS, STACKS, Env, World, digest

MORE_HOMES = {
    "ES": [("83.32.0.0/11", 3352)],
    "IT": [("79.0.0.0/10", 3269)],
    "PL": [("83.0.0.0/11", 5617)],
    "MX": [("189.128.0.0/11", 8151)],
    "TR": [("78.160.0.0/11", 9121)],
    "SE": [("78.72.0.0/13", 3301)],
    "ID": [("36.64.0.0/11", 7713)],
    "ZA": [("105.224.0.0/12", 37457)],
    "NG": [("197.210.0.0/16", 29465)],
}
ALL_HOMES = HOMES | MORE_HOMES
HOURS = OFFSETS | {"ES": 1, "IT": 1, "PL": 1, "MX": 18, "TR": 3, "SE": 1, "ID": 7, "ZA": 2, "NG": 1}
WEIGHTS = {
    "US": 26, "IN": 11, "DE": 7, "GB": 7, "BR": 6, "FR": 5, "JP": 4, "CA": 4, "ES": 4, "IT": 4, "PL": 4, "ID": 4,
    "MX": 3, "TR": 3, "AU": 3, "KR": 2, "SE": 2, "NL": 2, "VN": 2, "SG": 2, "ZA": 2, "NG": 2, "CN": 1,
}  # fmt: skip
DAILY = {
    "openai-python": 24, "openai-js": 14, "anthropic-python": 11, "anthropic-js": 7, "openai-async": 8, "cli": 8,
    "langchain": 5, "requests": 5, "curl": 2, "aiohttp": 2, "go": 3, "axios": 4, "browser": 12, "okhttp": 3,
    "guzzle": 2, "ruby": 1, "litellm": 4,
}  # fmt: skip
"""Client stacks among ordinary accounts."""
PLAIN = {
    # name: (user agent, versions)
    "okhttp": ("okhttp/{v}", ("4.9.3", "4.11.0", "4.12.0", "5.1.0")),
    "guzzle": ("GuzzleHttp/{v}", ("7", "7.9")),
    "ruby": ("Ruby OpenAI/{v}", ("7.4.0", "8.1.0", "8.3.0")),
    "litellm": ("litellm/{v}", ("1.83.2", "1.91.0", "1.98.4", "1.106.2")),
    "boto": ("Boto3/1.40.{v} md/Botocore#1.40.{v} lang/python#3.12", ("4", "21", "49", "63")),
    "gateway": ("corp-llm-gateway/{v}", ("3.2", "3.4")),
}


class Places(World):
    """The first week's world, with more countries, client stacks and hosting."""

    def __init__(self, shared: Path, seed: int) -> None:
        super().__init__(shared, seed)
        folder = shared / "data" / "ip" / "lord_alfred"
        self.github = [ipaddress.ip_network(s) for s in _text(folder / "github_ipv4.txt").split()]
        self.proton = [ipaddress.ip_network(s) for s in _text(folder / "protonvpn_ipv4.txt").split()]

    def country(self, rnd: random.Random) -> str:
        return rnd.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]

    def home(self, rnd: random.Random, country: str) -> tuple[str, int]:
        """A residential address."""
        block, asn = rnd.choice(ALL_HOMES[country])
        return self._inside(rnd, ipaddress.ip_network(block)), asn

    def runner(self, rnd: random.Random) -> tuple[str, int]:
        """A build machine's address."""
        return self._inside(rnd, rnd.choice(self.github)), 8075

    def proton_exit(self, rnd: random.Random) -> tuple[str, int]:
        """An exit of one public VPN."""
        return self._inside(rnd, rnd.choice(self.proton)), 209103

    def software(
        self, rnd: random.Random, name: str | None, built: datetime, version: str | None = None
    ) -> Env:
        """A client stack on an unnamed place; ``None`` draws an everyday one."""
        name = name or rnd.choices(list(DAILY), list(DAILY.values()))[0]
        if name in STACKS:
            return self.stack(rnd, name, built, version)
        agent, versions = PLAIN[name]
        version = version or rnd.choice(versions)
        tls = f"t13d1715h2_{digest(name, size=6)}_{digest(name, version, size=6)}"
        return Env("", None, "", agent.format(v=version), tls)

    def desktop(self, rnd: random.Random, app: str, version: str) -> Env:
        """A desktop app on somebody's machine: one version for all, the machine differs."""
        os = rnd.choices(("Windows", "MacOS", "Linux"), (6, 4, 1))[0]
        arch = "arm64" if os == "MacOS" and rnd.random() < 0.8 else "x64"
        tls = f"t13d1516h2_8daaf6152771_{digest('electron', os, size=6)}"
        headers = (
            ("x-stainless-lang", "js"),
            ("x-stainless-package-version", "5.23.1"),
            ("x-stainless-os", os),
            ("x-stainless-arch", arch),
            ("x-stainless-runtime", "browser:chrome"),
            ("x-stainless-runtime-version", "138.0.7204"),
        )
        return Env("", None, "", f"{app}/{version} Electron/37.2.4", tls, headers)
