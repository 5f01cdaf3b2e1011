"""What is fixed before the first look at a suspect: mark, test, prompts, models, level, seed, budget.

A plan is a TOML file. Its digest covers what the file says, the bytes of the prompts and of the tokeniser that it
names, and the commitment of every key that will be tried; it is logged before the first question and stands in the
dossier. One plan is one family of tests.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from stillwatch.errors import ConfigError
from stillwatch.prove.suspects.weights import Weights, read_weights

Test = Literal["closed", "probes", "hard", "soft"]
TESTS = ("closed", "probes", "hard", "soft")
READ = ("hard", "soft")
"""Tests that read a model along texts, from its weights or where an endpoint echoes likelihoods."""
Api = Literal["chat", "completions", "prefill"]
APIS = ("chat", "completions", "prefill")
LEAST_CONTROLS = 3
MOST_PROMPTS = 100_000
LONGEST = 40_000
LONGEST_READ = 2_048
"""Tokens of one text that are read along, at most."""
SECTIONS: dict[str, dict[str, Any]] = {
    "audit": {"name": str, "seed": int, "alpha": float, "test": str, "prompts": str, "max_tokens": int,
              "temperature": float},
    "mark": {"scheme": str, "width": int, "tokeniser": str},
    "effect": {"at_full": float, "source": str},
    "budget": {"calls": int, "per_minute": int, "connections": int, "timeout_s": int, "usd_per_million_in": float,
               "usd_per_million_out": float},
}  # fmt: skip
MODEL = {"name": str, "url": str, "model": str, "api": str, "key_env": str, "system": str}
LOCAL = {"name": str, "api": str, "system": str}
"""Of a model whose weights are here, beside where they are."""
KINDS = ("folder", "gguf")
DEFAULTS: dict[str, Any] = {
    "alpha": 1e-6, "max_tokens": 256, "temperature": 1.0, "per_minute": 600, "connections": 4, "timeout_s": 60,
    "usd_per_million_in": 0.0, "usd_per_million_out": 0.0, "api": "chat", "key_env": "", "system": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Model:
    """One model behind an OpenAI-compatible endpoint, or with its weights here.

    The key of an endpoint is in the environment, never in the plan.
    """

    name: str
    url: str
    model: str
    api: Api
    key_env: str
    system: str
    weights: Weights | None = None
    """Where it is asked in this process; then it has no address."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What an audit may cost."""

    calls: int
    """Of all models together, retries included."""
    per_minute: int
    """To one model."""
    connections: int
    timeout_s: int
    usd_per_million_in: float
    usd_per_million_out: float


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """A plan with its files read."""

    name: str
    seed: int
    alpha: float
    test: Test
    prompts: tuple[str, ...]
    max_tokens: int
    temperature: float
    scheme: str
    width: int
    tokeniser: Path
    effect: float
    effect_source: str
    suspect: Model
    controls: tuple[Model, ...]
    budget: Budget
    fixed: Mapping[str, Any]
    """What the digest covers, but for the keys."""
    reference: Model | None = None
    """Of a soft test: our own model, read along the same texts."""

    @property
    def models(self) -> tuple[Model, ...]:
        """All that are asked: the suspect first, the reference last."""
        return (self.suspect, *self.controls, *((self.reference,) if self.reference else ()))

    @property
    def reads(self) -> bool:
        """Models are read along texts; they write nothing."""
        return self.test in READ

    def digest(self, commitments: Sequence[str]) -> str:
        """SHA-256 over the plan and the commitments of every key that will be tried."""
        whole = {**self.fixed, "keys": sorted(commitments)}
        return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def read_plan(path: Path, known: Mapping[str, str] | None = None) -> AuditPlan:
    """Read and check a plan.

    Args:
        known: digests of weights by their folder as the plan says it, which stand for weights that are not here any
            more: a plan that was fixed is judged again without them.

    Raises:
        ConfigError: with the section and the field that is wrong.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} could not be read", hint="name a plan; docs/prove.md shows one") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}", hint="docs/prove.md shows a plan") from error
    unknown = set(raw) - set(SECTIONS) - {"suspect", "control", "reference"}
    if unknown:
        raise ConfigError(
            f"{path}: section {sorted(unknown)[0]!r} is not known", hint=f"there are {_known()}"
        )
    given = {name: _section(path, name, raw.get(name, {}), SECTIONS[name]) for name in SECTIONS}
    audit, mark, budget = given["audit"], given["mark"], given["budget"]
    known = known or {}
    suspect = _model(path, "suspect", raw.get("suspect"), known)
    controls = raw.get("control", [])
    if not isinstance(controls, list) or len(controls) < LEAST_CONTROLS:
        raise ConfigError(
            f"{path}: fewer than {LEAST_CONTROLS} sections [[control]]",
            hint="name unrelated models that are asked the same; without them nothing may be said of a suspect",
        )
    models = tuple(_model(path, f"control {i + 1}", one, known) for i, one in enumerate(controls))
    reference = _model(path, "reference", raw["reference"], known) if "reference" in raw else None
    _check_test(path, audit, (suspect, *models), reference)
    named = (suspect, *models, *((reference,) if reference else ()))
    names = [one.name for one in named]
    if len(set(names)) < len(names):
        raise ConfigError(f"{path}: two models of one name", hint="call each model by a name of its own")
    if len({_same(one) for one in named}) < len(names):
        raise ConfigError(
            f"{path}: one and the same model under two names",
            hint="a control is another model than the suspect, the reference and every other control",
        )
    if (
        not 0 < audit["alpha"] < 1
        or not 0 <= audit["temperature"] <= 2
        or audit["max_tokens"] < 1
        or audit["seed"] < 0
    ):
        raise ConfigError(f"{path}: [audit] alpha, max_tokens, temperature or seed out of range",
                          hint="alpha in 0 to 1, at least one token, temperature 0 to 2, seed from 0")  # fmt: skip
    if (
        min(budget["calls"], budget["per_minute"], budget["connections"], budget["timeout_s"], mark["width"])
        < 1
    ):
        raise ConfigError(f"{path}: a budget or a width below 1", hint="give whole numbers from 1 on")
    if audit["test"] in READ and not mark["width"] < audit["max_tokens"] <= LONGEST_READ:
        raise ConfigError(
            f"{path}: [audit] max_tokens {audit['max_tokens']} is no length of a text to read",
            hint=f"tokens read of each text: more than the window, at most {LONGEST_READ:,}",
        )
    prompts_path, tokeniser = (path.parent / value for value in (audit["prompts"], mark["tokeniser"]))
    prompts = read_prompts(prompts_path)
    fixed = {
        **given, "suspect": _said(suspect), "control": [_said(one) for one in models],
        "prompts_sha256": _sha256(prompts_path), "tokeniser_sha256": _sha256(tokeniser),
    }  # fmt: skip
    if reference:
        fixed["reference"] = _said(reference)
    return AuditPlan(
        name=audit["name"], seed=audit["seed"], alpha=audit["alpha"], test=audit["test"], prompts=prompts,
        max_tokens=1 if audit["test"] == "probes" else audit["max_tokens"], temperature=audit["temperature"],
        scheme=mark["scheme"], width=mark["width"], tokeniser=tokeniser,
        effect=given["effect"]["at_full"], effect_source=given["effect"]["source"],
        suspect=suspect, controls=models, budget=Budget(**budget), fixed=fixed,
        reference=reference,
    )  # fmt: skip


def _check_test(
    path: Path, audit: Mapping[str, Any], models: Sequence[Model], reference: Model | None
) -> None:
    """What a test needs of its models."""
    test = audit["test"]
    if test not in TESTS:
        raise ConfigError(f"{path}: [audit] test {test!r}", hint="one of " + ", ".join(TESTS))
    if test == "soft" and reference is None:
        raise ConfigError(
            f"{path}: 'soft' holds a suspect against a reference", hint="[reference] our own model's folder"
        )
    if test != "soft" and reference is not None:
        raise ConfigError(f"{path}: {test!r} takes no [reference]", hint="leave it out, or say soft")
    every = (*models, *((reference,) if reference else ()))
    if test != "closed" and any(one.api == "chat" for one in every):
        raise ConfigError(
            f"{path}: {test!r} needs the token after a prefix, which a chat does not give",
            hint='api = "completions", or "prefill" where the model goes on with an unfinished answer',
        )
    if test in READ and any(one.weights and one.weights.kind == "gguf" and one.api != "completions"
                            for one in every):  # fmt: skip
        raise ConfigError(
            f"{path}: a GGUF file is read along tokens of ours, with no template before them",
            hint='hard and soft of a GGUF file with api = "completions"',
        )
    if test in READ and any(one.weights is None and one.api != "completions" for one in every):
        raise ConfigError(
            f"{path}: {test!r} needs likelihoods along texts, which of endpoints completions alone echo",
            hint='api = "completions", or folder = "...", the weights; else probes or closed',
        )


def read_prompts(path: Path) -> tuple[str, ...]:
    """Prompts, or prefixes for probes: JSON lines with a field ``prompt``, distinct, in order."""
    out: list[str] = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    row = json.loads(line)
                    text = row.get("prompt") if isinstance(row, dict) else None
                    if not isinstance(text, str) or not text or len(text) > LONGEST:
                        raise ConfigError(
                            f"{path}:{number} has no text `prompt` of at most {LONGEST:,} characters",
                            hint='one object a line: {"prompt": "..."}',
                        )
                    out.append(text)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} holds no prompts", hint='JSON lines: {"prompt": "..."}') from error
    if not out or len(out) > MOST_PROMPTS:
        raise ConfigError(f"{path} holds {len(out):,} prompts", hint=f"1 to {MOST_PROMPTS:,}")
    if len(set(out)) < len(out):
        raise ConfigError(
            f"{path} asks the same twice", hint="leave repeated prompts out: they say nothing new"
        )
    return tuple(out)


def _known() -> str:
    return ", ".join(f"[{name}]" for name in SECTIONS) + ", [suspect], [[control]], [reference]"


def _section(path: Path, name: str, given: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: {name} is no section", hint=f"write [{name}]")
    unknown = sorted(set(given) - set(fields))
    if unknown:
        raise ConfigError(
            f"{path}: [{name}] {unknown[0]!r} is not known", hint="there are " + ", ".join(fields)
        )
    out = {}
    for field, kind in fields.items():
        value = given.get(field, DEFAULTS.get(field))
        if value is None:
            raise ConfigError(f"{path}: [{name}] {field} is missing", hint="docs/prove.md shows a plan")
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise ConfigError(
                f"{path}: [{name}] {field} is no {_kind(kind)}", hint="docs/prove.md shows a plan"
            )
        out[field] = value
    return out


def _kind(kind: type) -> str:
    return {str: "text", int: "whole number", float: "number"}[kind]


def _same(model: Model) -> tuple[str, str]:
    """What two names of one and the same model share."""
    return ("", model.weights.sha256) if model.weights else (model.url.rstrip("/"), model.model)


def _local(path: Path, name: str, given: Mapping[str, Any], known: Mapping[str, str]) -> Model:
    """A model whose weights are here, or were when the plan was fixed."""
    kind = next(kind for kind in KINDS if kind in given)
    one = _section(path, name, given, LOCAL | {kind: str})
    where = one[kind]
    if where in known and not (path.parent / where).exists():
        weights = Weights(path.parent / where, where, known[where], kind=kind)
    else:
        weights = read_weights(path.parent / where, where, kind)
    return Model(one["name"], "", where, one["api"], "", one["system"], weights)


def _model(path: Path, name: str, given: Any, known: Mapping[str, str]) -> Model:
    if isinstance(given, dict) and any(kind in given for kind in KINDS):
        found = _local(path, name, given, known)
        _check(path, name, found)
        return found
    one = _section(path, name, given if given is not None else {}, MODEL)
    try:
        parts = urlsplit(one["url"])
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # no port, no address of IPv6
        fits = False
    if not fits or "@" in parts.netloc or parts.query:
        raise ConfigError(f"{path}: [{name}] url is no address of an endpoint", hint="https://HOST/v1")
    if one["key_env"] and parts.scheme == "http" and not _here(str(parts.hostname)):
        raise ConfigError(
            f"{path}: [{name}] would send a key in the clear", hint="https, or a host of this machine's own"
        )
    found = Model(**one)
    _check(path, name, found)
    return found


def _check(path: Path, name: str, model: Model) -> None:
    """What every model must have right."""
    if model.api not in APIS:
        raise ConfigError(f"{path}: [{name}] api {model.api!r}", hint="one of " + ", ".join(APIS))
    if not model.name.isprintable() or not model.name.strip() or len(model.name) > 200:
        raise ConfigError(f"{path}: [{name}] name cannot be printed", hint="a short name in plain letters")


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _said(model: Model) -> dict[str, str]:
    if model.weights:
        said = {name: getattr(model, name) for name in ("name", "api", "system")}
        return {**said, model.weights.kind: model.weights.said, "weights_sha256": model.weights.sha256}
    return {name: getattr(model, name) for name in MODEL}


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{path} could not be read", hint="paths are beside the plan") from error
