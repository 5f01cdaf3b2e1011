"""What people do to the policy, from its page and from the API: each with its line in the audit record."""

from __future__ import annotations

from typing import Any

from stillwatch.console.signin.sessions import Seen
from stillwatch.console.site import Site
from stillwatch.records import Mode
from stillwatch.respond.errors import NotFound, NotNow, Unfit
from stillwatch.wiring import check_policy, switch_rule
from stillwatch.wiring.policy_mode import set_mode


def begin_simulation(site: Site, seen: Seen) -> None:
    """Begin one for the policy and the run as they stand, on record."""
    told, run = check_policy(site.policy), site.run
    of = (str(told["digest"]), run.digest)
    if not site.simulations.begin(of, site.policy, run.folder, site.settings):
        raise NotNow("a simulation is under way", hint="try again when it has ended")
    site.record(seen.person, "policy.simulate", str(told["policy"]), digest=of[0], run=of[1])


def change_mode(
    site: Site,
    seen: Seen,
    mode: Mode,
    *,
    version: str,
    digest: str,
    reason: str,
    rule: str,
    canary_share: float | None,
) -> dict[str, Any]:
    """The change and its line in the audit record: both, or neither."""
    if site.policy is None:
        raise NotFound(
            "policy file of your own",
            hint="`stillwatch policy show > policy.toml`, then --policy policy.toml",
        )
    if not reason.strip():
        raise Unfit("a reason is needed", hint="say why in a sentence")
    with site.work(seen.person) as work:
        work.note("policy.mode", rule or "every rule", mode=mode.value, canary_share=canary_share, version=version,
                  was=digest, reason=reason.strip())  # fmt: skip
        set_mode(site.policy, mode=mode, version=version, seen=digest, rule=rule, canary_share=canary_share)
    return check_policy(site.policy)


def switch(site: Site, seen: Seen, rule: str, *, off: bool) -> dict[str, Any]:
    """Take a rule out of force at every gate on the folder, or put it back."""
    if site.gate is None:
        raise NotFound("gate to switch at", hint="start the console with --gate FOLDER")
    with site.work(seen.person) as work:
        done = switch_rule(rule, into=site.gate, off=off, policy=site.policy, settings=site.settings)
        work.note("policy.switch", rule, off=off, not_logged=done["not_logged"])
        return done


__all__ = ["begin_simulation", "change_mode", "switch"]
