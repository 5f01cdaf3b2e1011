"""How far a policy is in force, changed in its own file: everything else in it, comments too, stays as it was.

The text is changed by a library that keeps what it does not touch, read as a gate would read it, compared rule by rule
with what was meant, and put in place whole. A gate that was started with the file takes it within seconds.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, SourceError
from stillwatch.protect.policy import Policy, parse_policy
from stillwatch.records import Mode
from stillwatch.wiring.gate_folder import POLICIES, put_file
from stillwatch.wiring.policy_files import read_policy

EXTRA_HINT = "install it: pip install 'stillwatch[console]'"
_ONE = threading.Lock()


def set_mode(
    path: Path, *, mode: Mode, version: str, seen: str, rule: str = "", canary_share: float | None = None
) -> Policy:
    """Put a policy, or one of its rules, into another mode under a new version; returns it as it now stands.

    Parameters
    ----------
    seen
        Digest of the policy that the person looked at; another one in the file is left alone.
    rule
        The rule to change. Empty: the file's own mode, which holds for every rule that names none.
    canary_share
        Share of accounts for which a canary acts, above 0 to 1; with ``mode`` canary alone.

    Raises
    ------
    ConfigError
        The file was changed since, cannot be written, or the change is none that can be made.
    SourceError
        The policy cannot be read.
    """
    with _ONE:
        now = read_policy(path)
        _possible(now, mode, version, seen, rule, canary_share)
        text = _edited(now.text, mode, version, rule, canary_share)
        made = parse_policy(text, where=str(path))
        if not _as_meant(now, made, mode, version, rule):
            raise ConfigError("the file is written in a way that cannot be changed from here",
                              hint="change `mode` and `version` in the file itself")  # fmt: skip
        try:
            put_file(path.resolve(), text.encode())
        except OSError as error:
            raise ConfigError(f"{path.name}: {(error.strerror or 'cannot be written').lower()}",
                              hint="change it where it is kept, or let the console write to it") from error  # fmt: skip
        return made


def _possible(now: Policy, mode: Mode, version: str, seen: str, rule: str, share: float | None) -> None:
    if now.digest != seen:
        raise ConfigError(
            "the policy was changed by somebody else; nothing was written", hint="look at it again"
        )
    if rule and rule not in [r.id for r in now.rules]:
        raise ConfigError(f"the policy has no rule {rule[:60]}", hint="its page lists them")
    if not version.strip() or version == now.version:
        raise ConfigError(
            "a new version is needed", hint="it is stamped on every decision; for example 2026-12-01"
        )
    if share is not None and not (mode is Mode.CANARY and 0.0 < share <= 1.0):
        raise ConfigError(
            "the share of a canary is above 0 and at most 1", hint="0.05 acts on one account in twenty"
        )


def _edited(text: str, mode: Mode, version: str, rule: str, share: float | None) -> str:
    try:
        import tomlkit
        from tomlkit.exceptions import TOMLKitError
    except ImportError as error:
        raise ConfigError(
            f"the part that changes policy files is missing ({error.name})", hint=EXTRA_HINT
        ) from error
    try:
        whole: Any = tomlkit.parse(text)
    except TOMLKitError as error:
        raise SourceError(
            "the policy", "cannot be changed from here", hint="change the file itself"
        ) from error
    whole["version"] = version
    place = whole if not rule else next(r for r in whole["rule"] if r["id"] == rule)
    place["mode"] = mode.value
    if share is not None:
        place["canary_share"] = share
    return tomlkit.dumps(whole)


def _as_meant(now: Policy, made: Policy, mode: Mode, version: str, rule: str) -> bool:
    """Whether the mode was changed where it was meant to be, and nothing else."""

    def bare(one: Policy) -> list[Any]:
        return [replace(r, mode=mode, canary_share=0.0, line=0) for r in one.rules]

    same = (made.name, made.version, bare(made)) == (now.name, version, bare(now))
    if not rule:
        return same and made.mode is mode
    kept = {r.id: r.mode for r in now.rules if r.id != rule}
    return same and made.mode is now.mode and kept | {rule: mode} == {r.id: r.mode for r in made.rules}


def loaded_by_a_gate(folder: Path, digest: str) -> bool:
    """Whether a gate on this folder has had the policy of this digest in force."""
    return (folder / POLICIES / f"{digest}.toml").is_file()


__all__ = ["loaded_by_a_gate", "set_mode"]
