"""One process of the demonstration: a hub, a key holder or a laboratory. It ends when whoever started it does.

A laboratory reads jobs from standard input, one a line, and answers each with a line; a server says where it listens.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import IO, Any

from stillwatch.errors import StillwatchError
from stillwatch.settings import Settings, parse_settings
from stillwatch.wiring import hub_join, hub_member
from stillwatch.wiring.progress import Unheard

BLOCKS = 6
"""Address blocks that a laboratory of the demonstration shares; in earnest a person chooses."""
_TOKEN = "HUB_TOKEN"  # noqa: S105  # the name of a variable


class Laboratory:
    """What a laboratory does, in its own folder, with its own key."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "member.toml"
        self.logs, self.run = str(folder / "logs" / "exchanges.parquet"), folder / "report"
        self.settings: Settings = parse_settings(
            {"evidence": {"keys": str(folder / "keys"), "log": str(folder / "log")}},
            where="the demonstration",
        )

    def join(
        self, url: str, member: str, log: str, ca: str, keyholders: list[str], **given: str
    ) -> dict[str, Any]:
        """Write the member's file, and that of the hub as a source of leads."""
        made = hub_member.join_hub(
            url,
            self.file,
            member=member,
            key=self.folder / "person.pem",
            log=log,
            ca=Path(ca),
            keyholders=keyholders,
        )
        rows = hub_member.membership(self.file).rows
        source = {
            "name": "hub", "root": rows["objects"], "collection": rows["collection"], "token_env": _TOKEN, "ca": ca,
        }  # fmt: skip
        lines = [f"{name} = {json.dumps(value)}" for name, value in source.items()]
        (self.folder / "sources.toml").write_text(
            "\n".join(["[[source]]", *lines, "reliability = 0.5"]) + "\n", "utf-8"
        )
        os.environ[_TOKEN] = given["token"]
        return made

    def scan(self, seed: int) -> dict[str, Any]:
        """Scan alone. The digest key comes from the seed, so that a demonstration can be repeated; draw a real one."""
        from stillwatch.wiring.scanning import scan

        grants, accounts = str(self.folder / "grants.jsonl"), [str(self.folder / "accounts.parquet")]
        secret = hashlib.sha256(f"demonstration {self.folder.name} {seed}".encode()).hexdigest()
        key = {self.settings.privacy.key_env: secret}
        found = scan(
            [self.logs], settings=self.settings, out=self.run, progress=Unheard(), accounts=accounts, grants=grants,
            env=key,
        )  # fmt: skip
        groups: dict[str, list[str]] = {c.campaign_id: [] for c in found.campaigns}
        for one in found.members:
            groups[one.campaign_id].append(one.account_id)
        return {"groups": groups}

    def commit(self) -> dict[str, Any]:
        """Make a contribution from the scan, and commit to it."""
        return hub_join.commit_round(
            self.file,
            self.run,
            [self.logs],
            settings=self.settings,
            format=None,
            mapping=None,
            progress=Unheard(),
        )

    def show(self) -> dict[str, Any]:
        """Show it."""
        return hub_join.show_round(self.file)

    def result(self) -> dict[str, Any]:
        """What the round gave."""
        return hub_join.round_result(self.file)

    def release(self, campaign: str, member: str) -> dict[str, Any]:
        """Draft a campaign with some of its address blocks, and release it."""
        from stillwatch.wiring.evidence_keys import new_key
        from stillwatch.wiring.sharing import draft_share, release_share

        facts = self.folder / "share.toml"
        facts.write_text(self._facts(campaign, member), "utf-8")
        draft_share(
            self.run, self.folder / "draft", campaign=campaign, facts=facts, audience="lab", product="tactics",
            level=None, previous=None,
        )  # fmt: skip
        new_key(self.settings, f"Person of {member}", "acquirer")
        return release_share(self.folder / "draft", settings=self.settings, signer=None)

    def submit(self, epoch: str, cluster: str) -> dict[str, Any]:
        """Submit the draft."""
        return hub_member.submit_to_hub(
            self.file,
            self.folder / "draft",
            settings=self.settings,
            epoch=epoch,
            cluster=cluster,
            preview=False,
        )

    def pull(self) -> dict[str, Any]:
        """Fetch what others shared, and look for it in the logs: which accounts it met, and which leads it was."""
        from stillwatch.wiring.lead_matching import match_leads
        from stillwatch.wiring.lead_view import BESIDE
        from stillwatch.wiring.leads import list_leads, pull_leads

        file, sources = self.folder / "leads.sqlite", self.folder / "sources.toml"
        [pulled] = pull_leads(file, sources, only=None, progress=Unheard())
        match_leads(
            [self.logs], self.run, file, sources, settings=self.settings, format=None, mapping=None,
            progress=Unheard(),
        )  # fmt: skip
        rows = json.loads((self.run / BESIDE).read_bytes())["matches"]
        return {
            "withdrawn": pulled["withdrawn"], "leads": len(list_leads(file)["leads"]),
            "met": [{"object": r["object_id"], "accounts": r["accounts"]} for r in rows],
        }  # fmt: skip

    def ask(self, what: str, given: dict[str, Any]) -> dict[str, Any]:
        """Anything else that a member may ask for."""
        return hub_member.ask_hub(self.file, what, given)

    def see(self, what: str) -> dict[str, Any]:
        """Anything that a member may look at."""
        return hub_member.see_hub(self.file, what)

    def _facts(self, campaign: str, member: str) -> str:
        ends = (datetime.now(UTC) + timedelta(days=20)).strftime("%Y-%m-%dT00:00:00Z")
        number = f"{sum(member.encode()):012x}"
        lines = [
            'summary = "Access was bought in pools."', 'access_channels = ["first-party-api"]', "", "[sender]",
            f'name = "Laboratory {member}"', f'identity = "identity--00000000-0000-4000-8000-{number}"',
            f'appeal_url = "https://{member}.example/appeals"',
        ]  # fmt: skip
        for block in self._blocks(campaign):
            lines += [
                "", "[[indicator]]", 'kind = "ipv4"', f'value = "{block}"', 'ground = "Exits of the pool lie here."',
                f"valid_until = {ends}",
            ]  # fmt: skip
        return "\n".join(lines) + "\n"

    def _blocks(self, campaign: str) -> list[str]:
        """Address blocks that the campaign's accounts show more than all others do, those of most accounts first."""
        from stillwatch.report import load_result
        from stillwatch.wiring.intake import open_reader
        from stillwatch.wiring.sources import Span, split_sources

        inside = {m.account_id for m in load_result(self.run).members if m.campaign_id == campaign}
        shown: dict[str, set[str]] = {}
        logs = split_sources([self.logs], Span(None, None))[1]
        for batch in open_reader(logs, self.settings, None, None).batches():
            for row in batch.select(["account_id", "client_ip"]).to_pylist():
                block = ip_network((row["client_ip"], 24), strict=False)
                shown.setdefault(str(block), set()).add(row["account_id"])
        counted = [(len(by & inside), block) for block, by in shown.items() if len(by & inside) * 2 > len(by)]
        return [block for _, block in sorted(counted, key=lambda c: (-c[0], c[1]))[:BLOCKS]]


def main(arguments: list[str]) -> None:
    """Be the part that the arguments name."""
    kind, folder = arguments[0], Path(arguments[1])
    out, sys.stdout = sys.stdout, sys.stderr
    if kind == "laboratory":
        _jobs(Laboratory(folder), sys.stdin, out)
        return
    from stillwatch.wiring.hub_serving import serve_holder, serve_hub

    threading.Thread(target=_until_left, daemon=True).start()
    serve = serve_hub if kind == "hub" else serve_holder
    tls = Path(arguments[2]), Path(arguments[3])
    serve(folder, listen="127.0.0.1:0", tls=tls, behind_proxy=False, ready=_teller(out))


def _jobs(laboratory: Laboratory, jobs: IO[str], out: IO[str]) -> None:
    for line in jobs:
        job = json.loads(line)
        try:
            told = {"told": getattr(laboratory, job["do"])(**job["with"])}
        except StillwatchError as error:
            told = {"error": error.message, "hint": error.hint}
        out.write(json.dumps(told, default=str) + "\n")
        out.flush()


def _teller(out: IO[str]) -> Callable[[str], None]:
    def ready(address: str) -> None:
        out.write(json.dumps({"told": address}) + "\n")
        out.flush()

    return ready


def _until_left() -> None:
    """Ends this process when standard input does: whoever started it is gone, or wants it to end."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
