"""A suspect model from plan to dossier: the plan is fixed and logged, models are asked, transcripts judged.

Three steps, each of which can be done again: `commit` writes down what will be tried, `ask` fills transcripts as far as
the budget goes, `judge` reads transcripts alone. Judging twice gives the same figures, whoever does it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.prove.dossier import page
from stillwatch.prove.fuse import conclude
from stillwatch.prove.suspects.endpoint import Calls, Endpoint, Spent, key_of
from stillwatch.prove.suspects.local import Local
from stillwatch.prove.suspects.pieces import Pieces
from stillwatch.prove.suspects.plan import AuditPlan, Model, read_plan
from stillwatch.prove.suspects.transcript import Said, Transcript, read_transcript
from stillwatch.settings import Settings
from stillwatch.store.folders import lock_folder
from stillwatch.wiring.dye import issued_keys, open_desk
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.suspect_claim import PLACE_BYTES, claim_of, seen_at_most, texts

if TYPE_CHECKING:
    from stillwatch.prove.radio import IssuedKey

FORMAT = 1
COMMITTED = "plan.json"
PAID = "calls"
ENDED = "judged-in-part"


@dataclass(frozen=True, slots=True)
class Opened:
    """A plan with the keys that it will try."""

    plan: AuditPlan
    keys: tuple[IssuedKey, ...]
    sha256: str


def open_plan(
    path: Path, settings: Settings, env: Mapping[str, str] = os.environ, *, again: Path | None = None
) -> Opened:
    """Read a plan, and every key that was ever issued under its scheme and window.

    Args:
        again: the folder of an audit that is judged again: weights that are not here any more stand there by their
            digests, which the plan's own digest covers.
    """
    plan = read_plan(path, _digests(again / COMMITTED) if again else None)
    desk, _ = open_desk(settings, env)
    mine = [d for d in desk.issued() if (d.issue.scheme, d.issue.width) == (plan.scheme, plan.width)]
    if not mine:
        raise ConfigError(
            f"no key was issued under {plan.scheme} with a window of {plan.width}",
            hint="`stillwatch dye list` shows what was issued; the plan names scheme and width",
        )
    keys = tuple(issued_keys(settings, plan.scheme, plan.width, env))
    return Opened(plan, keys, plan.digest([d.issue.commitment for d in mine]))


def cost(opened: Opened) -> dict[str, Any]:
    """What asking would cost at most, and what it could see, before anything is asked."""
    plan = opened.plan
    tokens = texts(plan)
    tokens_in = sum(map(len, tokens))
    calls, models = len(plan.prompts), len(plan.models)
    paid = sum(model.weights is None for model in plan.models)
    tokens_out = calls * (1 if plan.reads else plan.max_tokens)
    usd = (tokens_in * plan.budget.usd_per_million_in + tokens_out * plan.budget.usd_per_million_out) / 1e6
    power = seen_at_most(plan, tokens, len(opened.keys))
    kept = {"mb_kept_at_most": -(-tokens_in * models * PLACE_BYTES // 10**6)} if plan.reads else {}
    return {
        "plan": plan.name, "plan_sha256": opened.sha256, "keys": len(opened.keys), "models": models,
        "calls": calls * models, "budget_calls": plan.budget.calls, "tokens_in": tokens_in * models,
        "tokens_out_at_most": tokens_out * (paid if plan.reads else models), "usd_at_most": round(usd * paid, 2),
        "minutes_at_least": round(calls * paid / plan.budget.per_minute, 1),
        "scored_at_most": power.scored, "smallest_share_seen": power.detectable_share,
        "power": power.power, "effect": plan.effect, "effect_source": plan.effect_source,
        **kept,
    }  # fmt: skip


def commit(
    opened: Opened, out: Path, settings: Settings, *, logged: bool = True, env: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Write the plan down, and into the log, before the first question; a second time it only checks.

    Raises:
        ConfigError: no log is kept and ``logged`` is asked for.
        VerificationError: the folder holds another plan.
    """
    path = out / COMMITTED
    if path.exists():
        found = _committed(path)
        if found["plan_sha256"] != opened.sha256:
            raise VerificationError(
                f"{out} holds another plan ({found['plan_sha256'][:16]}), or keys were issued since",
                hint="a changed plan is another plan: name another folder with --out",
            )
        return found
    if (out / "transcripts").exists():
        raise VerificationError(
            f"{out} holds transcripts without their plan", hint="name another folder with --out"
        )
    told: dict[str, Any] = {
        "format": FORMAT, "plan_sha256": opened.sha256, "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "fixed": opened.plan.fixed, "keys": [key.key_id for key in opened.keys], "log": None,
    }  # fmt: skip
    if logged:
        from stillwatch.evidence.leaf import leaf
        from stillwatch.records.evidence import LeafKind
        from stillwatch.wiring import evidence_log
        from stillwatch.wiring.evidence_keys import needs_extra

        needs_extra()
        if not evidence_log.in_use(settings):
            raise ConfigError(
                "no log is kept, so nobody could check that the plan was fixed first",
                hint="begin one: stillwatch evidence key new NAME --role log; or say --no-log",
            )
        told["log"] = evidence_log.append(
            settings, [leaf(LeafKind.PLAN, opened.sha256, datetime.now(UTC))], env
        )
    out.mkdir(parents=True, exist_ok=True)
    _write(path, told)
    return told


def ask(opened: Opened, out: Path, progress: Progress, env: Mapping[str, str] = os.environ) -> dict[str, int]:
    """Ask every model what it has not been asked, as far as the budget goes. Returns how many prompts are open.

    Raises:
        ConfigError: a key for an endpoint is not in the environment, another process asks under this plan, or a part
            of it was judged: who looks and then asks on decides by what was seen when to stop.
        UpstreamError: an endpoint refuses; what was answered is written down.
    """
    plan = opened.plan
    keys = {model.name: key_of(model, dict(env)) for model in plan.models}
    with _paid(out / "transcripts") as paid:
        if (out / "transcripts" / ENDED).exists():
            raise ConfigError(
                "a part of this plan was judged, and that was its one look",
                hint="--replay --partial judges the same answers again; more answers need another plan and folder",
            )
        answered = sum(len(_said_so_far(out, opened, model)) for model in plan.models)
        calls = Calls(plan.budget.calls - max(answered, paid.tell()), lambda: paid.write(b"."))
        progress.step("asking", float(len(plan.prompts) * len(plan.models)))
        progress.advance(float(answered))
        return _ask_all(opened, out, keys, calls, progress)


@contextmanager
def _paid(folder: Path) -> Iterator[IO[bytes]]:
    """A byte for each call that was ever made under this plan, retries too; one process at a time asks."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = lock_folder(folder, job="asking a suspect", hint="let the other audit of this plan end first")
    try:
        with (folder / PAID).open("ab", buffering=0) as file:
            yield file
    finally:
        os.close(lock)


def _ask_all(
    opened: Opened, out: Path, keys: Mapping[str, str], calls: Calls, progress: Progress
) -> dict[str, int]:
    plan = opened.plan
    left: dict[str, int] = {}
    tokens = texts(plan) if plan.reads else []
    for model in plan.models:
        with Transcript(_transcript(out, opened, model), opened.sha256, model) as transcript:
            todo = [(n, p) for n, p in enumerate(plan.prompts) if n not in transcript.said]

            def told(number: int, said: Said, transcript: Transcript = transcript) -> None:
                transcript.add(number, said)
                progress.advance(1.0)

            try:
                if model.weights and plan.reads:
                    read = [(n, tokens[n]) for n, _ in todo]
                    Local(model, model.weights, plan, calls).read_all(read, told)
                elif model.weights:
                    Local(model, model.weights, plan, calls).ask_all(todo, told)
                elif plan.reads:
                    along = [(n, tokens[n], text) for n, text in todo]
                    endpoint = Endpoint(model, plan, keys[model.name], calls)
                    endpoint.read_all(along, Pieces.of(plan.tokeniser), told)
                else:
                    Endpoint(model, plan, keys[model.name], calls).ask_all(todo, told)
            except Spent:
                progress.note(f"the budget of {plan.budget.calls:,} calls is used up at {model.name}")
            left[model.name] = len(plan.prompts) - len(transcript.said)
    return left


def judge(opened: Opened, out: Path, *, partial: bool = False) -> dict[str, Any]:
    """Read the transcripts, run the test, and say what may be said. Judging a part ends the asking for good.

    Raises:
        ConfigError: a model has not been asked everything, and ``partial`` was not said.
    """
    plan, committed = opened.plan, _committed(out / COMMITTED)
    if committed["plan_sha256"] != opened.sha256:
        raise VerificationError(f"{out} holds another plan", hint="name the folder that belongs to this plan")
    said = {m.name: read_transcript(_transcript(out, opened, m), opened.sha256, m) for m in plan.models}
    open_ = {name: len(plan.prompts) - len(one) for name, one in said.items()}
    if any(open_.values()) and not partial:
        names = ", ".join(f"{name} ({n:,})" for name, n in open_.items() if n)
        raise ConfigError(
            f"not everything has been asked: {names}",
            hint="run the same command again to ask on, or judge what there is, once and for good, with --partial",
        )
    if any(open_.values()):
        (out / "transcripts").mkdir(exist_ok=True)
        (out / "transcripts" / ENDED).touch()
    claim, lost = claim_of(plan, opened.keys, said)
    conclusion = conclude([claim], plan.alpha)
    found = {
        "format": FORMAT, "stillwatch": version("stillwatch"), "plan": plan.name, "plan_sha256": opened.sha256,
        "committed_at": committed["at"],
        "log": {name: committed["log"][name] for name in ("index", "checkpoint")} if committed["log"] else None,
        "fixed": plan.fixed, "suspect": plan.suspect.name,
        "evidence": conclusion.evidence.value if conclusion.evidence else None,
        "sentence": conclusion.sentence, "campaigns": list(conclusion.campaigns),
        "notes": [*conclusion.notes, *_how(plan)], "alternatives": list(conclusion.alternatives),
        "claim": asdict(claim) | {"sentence": claim.sentence, "counting": [c.name for c in claim.counting]},
        "models": [_about(m, said[m.name], open_[m.name], lost.get(m.name, {}), out, opened) for m in plan.models],
    }  # fmt: skip
    return json.loads(json.dumps(_plain(found)))  # type: ignore[no-any-return]  # a dict went in


def _how(plan: AuditPlan) -> list[str]:
    """What of the asking a judge should know, who reads no plan."""
    told = [model.name for model in plan.models if plan.reads and not model.weights]
    rebuilt = [m.name for m in plan.models if not plan.reads and m.weights and m.weights.kind == "gguf"]
    return [
        *([f"what is likeliest was taken at the word of the endpoint of {', '.join(told)}"] if told else []),
        *(
            [f"prompts were cut into tokens as the GGUF file describes it, of {', '.join(rebuilt)}"]
            if rebuilt
            else []
        ),
    ]


def write_dossier(
    found: Mapping[str, Any], out: Path, settings: Settings, env: Mapping[str, str] = os.environ
) -> list[Path]:
    """``dossier.json``, its signature where a key is kept, and ``dossier.html``. A later judging replaces them."""
    body = json.dumps(found, indent=1, ensure_ascii=True).encode() + b"\n"
    written = [out / "dossier.json", out / "dossier.html"]
    signer = None
    if _may_sign(settings):
        from stillwatch.evidence.dsse import envelope, statement
        from stillwatch.evidence.keys import Role
        from stillwatch.wiring.evidence_keys import signing_key

        row, key = signing_key(settings, None, Role.ACQUIRER, now=datetime.now(UTC), env=env)
        signer = {"person": row.person, "key_id": row.key_id}
        about = {"what": "dossier on a suspect model", "plan_sha256": found["plan_sha256"]}
        subjects = {"dossier.json": hashlib.sha256(body).hexdigest()}
        (out / "dossier.dsse.json").write_bytes(envelope(statement(subjects, about), [key]))
        written.append(out / "dossier.dsse.json")
    (out / "dossier.json").write_bytes(body)
    (out / "dossier.html").write_text(page(found, signer), encoding="utf-8")
    return written


def _may_sign(settings: Settings) -> bool:
    from stillwatch.wiring.evidence_keys import read_list

    try:
        from stillwatch.evidence.keys import Role

        rows = read_list(settings)
    except ImportError:
        return False
    here = [r for r in rows if r.role is Role.ACQUIRER and r.revoked_at is None]
    return any((Path(settings.evidence.keys) / f"{r.key_id[:16]}.pem").exists() for r in here)


def _about(
    model: Model, said: Mapping[int, Said], open_: int, lost: Mapping[str, int], out: Path, opened: Opened
) -> dict[str, Any]:
    failed: dict[str, int] = {}
    for one in said.values():
        if not one.answered:
            failed[one.failed] = failed.get(one.failed, 0) + 1
    path = _transcript(out, opened, model)
    return {
        "name": model.name, "model": model.model, "url": model.url, "api": model.api,
        "weights_sha256": model.weights.sha256 if model.weights else None, "asked": len(said),
        "answered": sum(one.answered for one in said.values()), "open": open_,
        "tokens_in": sum(one.tokens_in for one in said.values()),
        "tokens_out": sum(one.tokens_out for one in said.values()),
        "failed": failed, "dropped": dict(lost), "transcript": path.name,
        "transcript_sha256": hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None,
    }  # fmt: skip


def _transcript(out: Path, opened: Opened, model: Model) -> Path:
    number = [one.name for one in opened.plan.models].index(model.name)
    role = "suspect" if number == 0 else "reference" if model is opened.plan.reference else "control"
    return out / "transcripts" / f"{number}-{role}.jsonl"


def _said_so_far(out: Path, opened: Opened, model: Model) -> dict[int, Said]:
    path = _transcript(out, opened, model)
    if not path.exists():
        return {}
    with Transcript(path, opened.sha256, model) as transcript:
        return dict(transcript.said)


def _committed(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
        found["plan_sha256"], found["at"], found["fixed"], found["log"]
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path.parent} holds no plan", hint="ask first: the same command without --replay"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationError(f"{path} is damaged", hint="take it from a backup") from error
    return found  # type: ignore[no-any-return]  # it has the names that were looked up


def _digests(path: Path) -> dict[str, str]:
    """Digests of weights by their folder, as a plan that was fixed says them."""
    if not path.exists():
        return {}
    fixed = _committed(path)["fixed"]
    try:
        models = [
            fixed["suspect"],
            *fixed["control"],
            *([fixed["reference"]] if "reference" in fixed else []),
        ]
        return {
            str(one.get("folder", one.get("gguf"))): str(one["weights_sha256"])
            for one in models
            if "weights_sha256" in one
        }
    except (LookupError, TypeError, AttributeError) as error:
        raise VerificationError(f"{path} is damaged", hint="take it from a backup") from error


def _write(path: Path, found: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(json.dumps(found, indent=1, ensure_ascii=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
