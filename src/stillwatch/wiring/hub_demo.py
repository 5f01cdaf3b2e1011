"""A hub at work on one machine: three laboratories, two key holders and the hub, each a process, over TLS.

Everything is the real thing but the traffic, the people and the certificates: the servers are those of ``hub serve``
and ``hub keyholder serve``, the laboratories scan, join, share and pull as any member does. What was planted is
compared with what was found at the end only, by whoever runs the demonstration.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.wiring.hub_admin import begin_round, hub_roster, put_hub_member, put_hub_person
from stillwatch.wiring.hub_certificates import demo_certificates
from stillwatch.wiring.hub_demo_world import Planted, divided
from stillwatch.wiring.hub_folder import HUB, new_hub
from stillwatch.wiring.hub_holder import holder_member
from stillwatch.wiring.hub_member import hub_transparency, moment_us, new_member_key
from stillwatch.wiring.progress import Progress, writable, write_whole

LABS = ("north", "south", "west")
HOLDERS = ("one", "two")
BUDGET = 5_000
HONEY = ("address 240.0.0.0/24", "address 240.0.1.0/24", "device 0")
"""Blocks that are never routed, and a device that nobody has."""
COMMIT_S, SHOW_S = 15.0, 600.0
"""From the opening of the round to its cut-off (longer where the scans took longer), and from there to its end."""
_END_S = 20


def demo_hub(out: Path, *, seed: int, progress: Progress) -> dict[str, Any]:
    """Run the demonstration into a new folder; what ``demo.json`` holds, and the table."""
    with writable(out):
        if out.exists() and any(out.iterdir()):
            raise ConfigError(f"{out.name} is not empty", hint="name a new folder")
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    out = out.resolve()
    planted = divided(out, LABS, seed, progress)
    progress.step("starting a hub, two key holders and three laboratories")
    with ExitStack() as kept:
        stage = _Stage(out, kept)
        stage.set_up()
        told = stage.play(progress, seed)
    table = _table(planted, told, seed)
    made = {
        "seed": seed,
        "planted": {lab: sorted(p.accounts) for lab, p in planted.items()},
        **told,
        "table": table,
    }
    write_whole(out / "demo.json", json.dumps(made, indent=1) + "\n")
    return made


class _Part:
    """A process of the demonstration."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name, self._process = name, process

    def send(self, do: str, **given: Any) -> None:
        """Give it a job."""
        assert self._process.stdin is not None  # noqa: S101  # it was made with a pipe
        self._process.stdin.write(json.dumps({"do": do, "with": given}) + "\n")
        self._process.stdin.flush()

    def take(self) -> Any:
        """What it answers.

        Raises:
            StillwatchError: it was refused, or the process ended.
        """
        assert self._process.stdout is not None  # noqa: S101
        line = self._process.stdout.readline()
        if not line:
            raise StillwatchError(f"{self.name} ended", hint=f"its own words are in {self.name}.log")
        told = json.loads(line)
        if "error" in told:
            raise StillwatchError(f"{self.name}: {told['error']}", hint=told["hint"])
        return told["told"]

    def do(self, do: str, **given: Any) -> Any:
        """A job and its answer."""
        self.send(do, **given)
        return self.take()


@contextmanager
def _running(name: str, out: Path, *arguments: str) -> Iterator[_Part]:
    """A process until the end of the block; it also ends when this one does."""
    with (out / f"{name}.log").open("w") as words:
        process = subprocess.Popen(  # noqa: S603  # our own module, our own arguments
            [sys.executable, "-m", "stillwatch.wiring.hub_demo_part", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, text=True, cwd=out,
        )  # fmt: skip
        try:
            yield _Part(name, process)
        finally:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101
            process.stdin.close()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


class _Stage:
    """Who takes part, and what they do one after another."""

    def __init__(self, out: Path, kept: ExitStack) -> None:
        self.out, self._kept = out, kept
        self.labs: dict[str, _Part] = {}
        self.steps: list[str] = []
        self.holders: list[str] = []
        self.url = self.log = ""
        self.ca = out / "tls" / "ca.pem"

    def set_up(self) -> None:
        """Keys, members and certificates; then every process."""
        demo_certificates(self.out / "tls", [HUB, *HOLDERS])
        self.log = new_hub(self.out / "hub", name="Demonstration hub", url="", contact="")["log"]
        tokens = {}
        for lab in LABS:
            key = new_member_key(self.out / lab / "person.pem")["public"]
            tokens[lab] = put_hub_member(
                self.out / "hub", lab, organisation=f"Laboratory {lab}", clearance="amber", suspend=False,
                new_token=False,
            )["token"]  # fmt: skip
            put_hub_person(
                self.out / "hub", lab, person=f"Person of {lab}", key=key, steward=lab == "west", end=False
            )
            self._known(lab, key)
        self._known(HUB, new_member_key(self.out / "hub.pem")["public"])
        for name in HOLDERS:
            self.holders.append(self._start(name, "keyholder", f"keyholder-{name}").take())
        self.url = self._start(HUB, "hub", "hub").take()
        for lab in LABS:
            self.labs[lab] = self._kept.enter_context(
                _running(lab, self.out, "laboratory", str(self.out / lab))
            )
            self.labs[lab].send(
                "join", url=self.url, member=lab, log=self.log, ca=str(self.ca), keyholders=self.holders,
                token=tokens[lab],
            )  # fmt: skip
        for lab in LABS:
            self.labs[lab].take()

    def play(self, progress: Progress, seed: int) -> dict[str, Any]:
        """The whole of it."""
        progress.step("each laboratory scans alone")
        began = time.monotonic()
        alone = {lab: told["groups"] for lab, told in self._all(LABS, "scan", seed=seed).items()}
        with_clusters = [lab for lab in LABS if alone[lab]]
        if len(with_clusters) < 2:
            raise ConfigError("fewer than two laboratories found anything alone", hint="try another --seed")
        progress.step("a round of joining: tags, commitments, cut-off, contributions")
        window_s = max(COMMIT_S, time.monotonic() - began)
        results = self._round(with_clusters, window_s, alone)
        progress.step("submitting, pulling, corroborating")
        shared = self._share(with_clusters, results, alone)
        progress.step("announcing, appealing, withdrawing")
        self._act(with_clusters, shared)
        roster = hub_roster(self.out / "hub")
        return {
            "alone": alone, "pairs": {lab: told["pairs"] for lab, told in results.items()}, "met": shared["met"],
            "steps": self.steps, "transparency": hub_transparency(self.url, self.ca), "rounds": roster["rounds"],
        }  # fmt: skip

    def _round(self, labs: Sequence[str], window_s: float, alone: dict[str, Any]) -> dict[str, Any]:
        honey = self.out / "honey.txt"
        honey.write_text("\n".join(HONEY) + "\n", "utf-8")
        opened = begin_round(
            self.out / "hub", commit_hours=window_s / 3600, show_hours=SHOW_S / 3600, keyholders=self.holders,
            ca=self.ca, honey=honey, key=self.out / "hub.pem",
        )  # fmt: skip
        made = self._all(labs, "commit")
        for lab in labs:
            self.labs[lab].send("release", campaign=_largest(alone[lab]), member=lab)
        for lab in labs:
            self.labs[lab].take()
        left = datetime.fromisoformat(opened["commit_until"]) - datetime.now(UTC)
        time.sleep(max(0.0, left.total_seconds()) + 1.5)
        self._all(labs, "show")
        results = self._all(labs, "result")
        tags = ", ".join(f"{lab} {made[lab]['tags']}" for lab in labs)
        planted = f"{opened['honey_tags']} honey tags"
        self.steps.append(f"round {opened['epoch']}: tags with those that fill up: {tags}; {planted}")
        return results

    def _share(self, labs: Sequence[str], results: dict[str, Any], alone: dict[str, Any]) -> dict[str, Any]:
        """The first laboratory with a cluster submits it; the others pull, look, and say what they see."""
        first, submitted = labs[0], {}
        for lab in labs[:2]:
            own = _largest(alone[lab])
            pair = next((p for p in results[lab]["pairs"] if p["campaign"] == own), None)
            cluster = (
                {"epoch": results[lab]["epoch"], "cluster": pair["cluster"]}
                if pair
                else {"epoch": "", "cluster": ""}
            )
            done = self.labs[lab].do("submit", **cluster)["done"]
            submitted[lab] = done[0]["entry"]["data"]["id"]
        self._say_standing(labs[1], submitted[first], f"{first}'s submission, joined clusters counted")
        met = {}
        for lab in LABS:
            told = self.labs[lab].do("pull")
            met[lab] = sorted({a for row in told["met"] for a in row["accounts"]})
            if lab != first and told["met"] and lab not in labs:
                self.labs[lab].do("ask", what="feedback", given={"object": submitted[first], "verb": "seen"})
                self._say_standing(lab, submitted[first], f"{lab} meets its indicators and says `seen`")
        return {"met": met, "submitted": submitted}

    def _act(self, labs: Sequence[str], shared: dict[str, Any]) -> None:
        """The submitter announces; an appeal against the second submission is upheld, and it is withdrawn."""
        first, second = labs[0], labs[1]
        third = next(lab for lab in LABS if lab not in (first, second))
        about = shared["submitted"][first]
        [opened] = self.labs[first].do("ask", what="cases", given={"about": about, "admit": False})["done"]
        at = moment_us(datetime.now(UTC) + timedelta(hours=3))
        step = {"case": opened["entry"]["data"]["id"], "kind": "act", "at_us": at}
        self.labs[first].do("ask", what="steps", given=step)
        for lab in (second, third):
            cases = self.labs[lab].do("see", what="inbox")["cases"]
            heard = (
                "hears when"
                if any(case["steps"] for case in cases)
                else "is not concerned, and hears nothing"
            )
            self.steps.append(f"{first} announces when it acts: {lab} {heard}")
        theirs = shared["submitted"][second]
        self.labs[third].do("ask", what="appeals", given={"object": theirs, "ground": "innocent"})
        self._say_standing(first, theirs, f"a customer of {third} appeals against {second}'s submission")
        [waiting] = self.labs[second].do("see", what="inbox")["to_answer"]
        self.labs[second].do("ask", what="answers", given={"appeal": waiting["appeal"], "upheld": True})
        for lab in (first, third):
            told = self.labs[lab].do("pull")
            self.labs[lab].do("ask", what="acknowledgements", given={"object": theirs})
            self.steps.append(
                f"{second} upholds it: {lab} pulls {told['withdrawn']} withdrawn objects, and acknowledges"
            )
        [own] = self.labs[second].do("see", what="inbox")["submissions"]
        self.steps.append(
            f"{second}'s submission: withdrawn ({own['withdrawn']}), acknowledged by {own['acknowledged_by']}"
        )
        self._say_standing(third, about, f"{first}'s submission, its pair re-opened")

    def _say_standing(self, lab: str, about: str, words: str) -> None:
        told = self.labs[lab].do("see", what=f"objects/{about}")
        contest = "" if told["contest"] == "none" else f" ({told['contest']})"
        self.steps.append(f"{words}: {told['withdrawn'] or told['corroboration']}{contest}")

    def _all(self, labs: Sequence[str], do: str, **given: Any) -> dict[str, Any]:
        for lab in labs:
            self.labs[lab].send(do, **given)
        return {lab: self.labs[lab].take() for lab in labs}

    def _known(self, member: str, key: str) -> None:
        for name in HOLDERS:
            holder_member(self.out / f"keyholder-{name}", member, key=key, budget=BUDGET, end=False)

    def _start(self, name: str, kind: str, folder: str) -> _Part:
        tls = self.out / "tls"
        started = _running(
            name, self.out, kind, str(self.out / folder), str(tls / f"{name}.pem"), str(tls / f"{name}.key")
        )
        return self._kept.enter_context(started)


def _largest(groups: dict[str, list[str]]) -> str:
    return max(sorted(groups), key=lambda name: len(groups[name]))


def _table(planted: dict[str, Planted], told: dict[str, Any], seed: int) -> str:
    """What each found alone, and what they found together, against what was planted."""
    network = set().union(*(p.accounts for p in planted.values()))
    alone = {lab: {a for group in told["alone"][lab].values() for a in group} for lab in LABS}
    joined = {
        lab: {a for p in told["pairs"].get(lab, ()) for a in told["alone"][lab].get(p["campaign"], ())} for lab in LABS
    }  # fmt: skip
    met = {lab: set(told["met"][lab]) for lab in LABS}
    both = {lab: joined[lab] | met[lab] for lab in LABS}
    rows = [
        ("accounts of the network here", {lab: str(len(planted[lab].accounts)) for lab in LABS}, str(len(network))),
        ("honest accounts here", {lab: str(planted[lab].others) for lab in LABS}, ""),
        ("found alone", _cells(alone, network), _cell(max(alone.values(), key=lambda a: len(a & network)), network)),
        ("  of these, joined to others'", _cells(joined, network), _cell(set().union(*joined.values()), network)),
        ("met by shared indicators", _cells(met, network), _cell(set().union(*met.values()), network)),
        ("known as one network together", _cells(both, network), _cell(set().union(*both.values()), network)),
    ]  # fmt: skip
    width = max(len(name) for name, _, _ in rows)
    lines = [" " * width + "".join(f"{lab:>10}" for lab in LABS) + f"{'together':>12}"]
    lines += [
        name.ljust(width) + "".join(f"{cells[lab]:>10}" for lab in LABS) + f"{total:>12}"
        for name, cells, total in rows
    ]
    return "\n".join([
        *lines, "",
        "A+B: A accounts of the network, B honest ones. Alone, nobody knows that others have a part: the last column",
        "of that row is the best single laboratory. What an indicator meets is a lead, not a finding.", "",
        *told["steps"], "", f"Simulated traffic, seed {seed}. It shows how a hub works, not how well it finds.",
    ])  # fmt: skip


def _cells(found: dict[str, set[str]], network: set[str]) -> dict[str, str]:
    return {lab: _cell(accounts, network) for lab, accounts in found.items()}


def _cell(accounts: set[str], network: set[str]) -> str:
    return f"{len(accounts & network)}+{len(accounts - network)}"


__all__ = ["demo_hub"]
