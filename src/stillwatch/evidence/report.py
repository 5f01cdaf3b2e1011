"""What a person reads: a PDF and its HTML twin, made from the same model, which was made from the package's documents.

The model is computed here, numbers and places of drawings alike, so that both say the same; the templates only lay it
out. Text from outside goes in as data, never as markup: what cannot be seen or turns a line round is shown as its code
point. Only what the audience gets is in the documents, so only that can be in here.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stillwatch.errors import ConfigError

_TEMPLATES = Path(__file__).parent / "templates"
MOST_MEMBERS, MOST_EDGES, MOST_ROWS, MOST_TEXT = 40, 160, 60, 600
GLOSSARY = (
    ("account", "whoever is billed, known by a pseudonymous id"),
    ("campaign", "a group of accounts that act as if run by one controller, at work on extraction over time"),
    ("pool", "such a group, use unknown"),
    ("bits", "weight of evidence: ten bits make an explanation about a thousand times less likely than its rival"),
    ("e-value", "weight of evidence against chance: if chance alone were at work its mean would be at most one"),
    ("grant", "a recorded permission to distil: who, which models, until when"),
    ("measure", "what was done to an account, such as a block; people agree to it first, and each can be taken back"),
    ("p-value", "how often honest groups of like size look at least as much like extraction"),
    ("false discovery rate", "of what is reported, the share expected to be wrong; not the chance of innocence"),
    ("family", "kinds of traits whose evidence may depend on each other: it adds across families, not inside one"),
    ("extraction share", "the part of a group's exchanges that belongs to the extraction, with its interval"),
    ("verdict", "what a person concluded when the case was closed; a scan alone confirms nothing"),
    ("withheld", "left out for this audience under a commitment: it can be opened later, and nothing else put there"),
    ("checkpoint", "the signed state of an append-only log: whoever holds one notices if the log is changed later"),
)  # fmt: skip
_VERDICT = {
    "true_positive": "unauthorised distillation",
    "benign_positive": "what was seen is there, and it is allowed or harmless",
    "false_positive": "what was seen is not there, or not these accounts",
    "undetermined": "it could not be determined",
}
_CONFIDENCE = {
    "low": "low: few comparisons, or a weight that rests on one channel",
    "medium": "medium: several families agree, or the shape stands out among honest groups",
    "high": "high: several families agree and the shape stands clear of every honest group of like size",
}


def pdf(page: Mapping[str, Any]) -> bytes:
    """The report as PDF.

    Raises:
        ConfigError: the typesetter is not installed.
    """
    try:
        import typst
    except ImportError as error:
        raise ConfigError(
            "the report needs the package typst", hint="pip install 'stillwatch[evidence]'"
        ) from error
    made = datetime.fromisoformat(page["created_at"]).replace(microsecond=0)
    written = typst.compile(**typeset(page), format="pdf", pdf_standards="a-2b", timestamp=made)
    return written if isinstance(written, bytes) else written[0]


def typeset(page: Mapping[str, Any]) -> dict[str, Any]:
    """What the typesetter is given, whatever it makes of it."""
    return {
        "input": (_TEMPLATES / "report.typ").read_bytes(), "sys_inputs": {"model": json.dumps(model(page))},
        "ignore_system_fonts": True,
    }  # fmt: skip


def html(page: Mapping[str, Any]) -> str:
    """The report as one HTML file that loads nothing."""
    env = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return env.get_template("report.html.jinja").render(m=model(page))


def model(page: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is laid out, as text and numbers."""
    campaigns = {row["campaign_id"]: row for row in page["exhibits/campaigns"]}
    counts = {row["campaign_id"]: row for row in page["counts"]}
    exposure = {row["campaign_id"]: row["figures"] for row in page.get("exposure", [])}
    laid: dict[str, Any] = clean(
        {
            "title": page["title"], "package_id": page["package_id"], "case_id": page["case_id"],
            "created_at": _time(page["created_at"]), "program": page["program"], "person": page["person"],
            "key_id": page["key_id"],
            "profile": page["profile"], "audience": page["audience"],
            "footer": "May be shared" if page["profile"] == "public" else f"Confidential: for {page['audience']}",
            "withheld": page["withheld"], "seals": _seals(page["seals"]),
            "check": [
                "python3 -m pip install cryptography",
                "python3 data/verify_package.py . --key acquirer.pem"
                + (" --key reviewer.pem" if page["seals"]["signatures"] > 1 else ""),
            ],
            "settings_digest": page["settings_digest"], "glossary": [list(g) for g in GLOSSARY],
            "groups": [
                _group(claim, campaigns[claim["campaign_id"]], counts[claim["campaign_id"]],
                       exposure.get(claim["campaign_id"]), page.get("exhibits/members", []))
                for claim in page["claims"]
            ],
            "method": _method(page["method"]), "circumvention": _circumvention(page.get("circumvention")),
            "notices": [[_time(n["at"]), said(n["account_id"]), n["what"], n["how"]]
                        for n in page.get("notices", [])[:MOST_ROWS]],
            "more_notices": max(0, len(page.get("notices", [])) - MOST_ROWS),
            "record": _record(page), "terms": _terms(page.get("terms")),
            "attribution": _attribution(page.get("attribution")),
        }
    )  # fmt: skip
    return laid


def clean(value: Any) -> Any:
    """Text that can be shown: control and invisible characters become code points, long text is cut and says so.

    >>> clean("a\\u202eb")
    'a⟨U+202E⟩b'
    """
    if isinstance(value, Mapping):
        return {key: clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner) for inner in value]
    if isinstance(value, str):
        text = value if len(value) <= MOST_TEXT * 3 else value[: MOST_TEXT * 3] + "…"
        return "".join(
            f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else c
            for c in text
        )
    return value


def said(value: Any) -> str:
    """A value, or that it is withheld."""
    if isinstance(value, Mapping):
        return f"withheld {value.get('withheld', '')}"
    return "not on record" if value is None else str(value)


def _group(
    claim: Mapping[str, Any], campaign: Mapping[str, Any], counts: Mapping[str, Any], exposure: Any,
    members: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    figures = claim["figures"]
    mine = [m for m in members if m["campaign_id"] == claim["campaign_id"]]
    tried, confirmed = counts["attempts"], counts["confirmed"]
    low, best, high = tried["exchanges in the extraction"]
    return {
        "id": claim["campaign_id"], "kind": claim["kind"], "claim": claim["claim"],
        "confidence": _CONFIDENCE.get(claim["confidence"], claim["confidence"]),
        "verdict": f"{_VERDICT.get(claim['verdict'], '')} ({claim['verdict']}), by {said(claim['verdict_by'])}"
        if claim["verdict"] else "open: no person has closed this case",
        "window": f"{_time(claim['window']['first_seen'])} to {_time(claim['window']['last_seen'])}",
        "facts": [
            ["Accounts", f"{tried['accounts']:,}, of which {tried['accounts that belong firmly']:,} belong firmly"],
            ["Exchanges attempted", f"{tried['exchanges of the group']:,} by the group; {best:,} ({low:,} to {high:,}) "
             "in the extraction"],
            ["Confirmed", f"{confirmed['accounts']:,} accounts, at least {confirmed['exchanges, at least']:,} "
             f"exchanges; {confirmed['why']}" if confirmed["accounts"] is not None else f"none: {confirmed['why']}"],
            ["Weight of evidence", f"10^{figures['log10_e_value']:.0f} that one controller is at work, against chance"],
            ["Shape of extraction", _p(figures)],
            ["Expected share of wrong groups", f"{figures['false_discovery_rate']:.1%} of groups reported like this"],
            ["Permission to distil", "a grant covers it" if claim["granted"] else "no grant on record"],
            ["Techniques (MITRE ATLAS)", ", ".join(claim["techniques"]) or "none"],
        ],
        "waterfall": waterfall(campaign), "timeline": timeline(campaign), "graph": graph(campaign),
        "innocent": [[i["explanation"], i["in_this_case"]] for i in claim["innocent_explanations"]],
        "would_change": claim["would_change"],
        "elements": [[e["element"], ", ".join(e["met_by"]) or "not seen in these logs"] for e in claim["elements"]],
        "exposure": None if exposure is None else [
            [f["name"].replace("_", " "), _figure(f), f["formula"], f["missing"]] for f in exposure
        ],
        "members": [[said(m["account_id"]), m["tier"], f"{m['membership_bits']:.1f}", said(m["account_exchange_count"]),
                     "; ".join(m["reasons"][:3])] for m in mine[:MOST_MEMBERS]],
        "more_members": max(0, len(mine) - MOST_MEMBERS),
    }  # fmt: skip


def waterfall(campaign: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Channels by weight: how much each carries, and what would be left without it, as shares of the widest bar."""
    rows = campaign["evidence"][:MOST_ROWS]
    widest = max((abs(row["log10_e_value"]) for row in rows), default=0) or 1
    total = campaign["log10_e_value"]
    return [
        {
            "trait": row["trait"], "family": row["family"], "value": said(row["value"]), "members": row["members"],
            "decades": f"{row['log10_e_value']:.1f}", "share": max(0.004, abs(row["log10_e_value"]) / widest),
            "without": f"10^{row['without_log10_e_value']:.0f} of 10^{total:.0f}", "control": row["control"],
            "honest": f"{row['reference_share']:.3%} of honest accounts", "note": row["note"],
        }
        for row in rows
    ]  # fmt: skip


def timeline(campaign: Mapping[str, Any]) -> dict[str, Any] | None:
    """Exchanges by hour, or by a longer step where there are too many hours."""
    rows = campaign["timeline"]
    if not rows:
        return None
    hours = [(datetime.fromisoformat(str(r["hour"])), r["exchanges"]) for r in rows]
    first, last = hours[0][0], hours[-1][0]
    count = int((last - first).total_seconds() // 3600) + 1
    step = max(1, math.ceil(count / 96))
    bins = [0] * math.ceil(count / step)
    for hour, n in hours:
        bins[int((hour - first).total_seconds() // 3600) // step] += n
    peak = max(bins) or 1
    return {
        "bars": [n / peak for n in bins], "peak": f"{peak:,}", "step": f"{step} h", "first": _time(first.isoformat()),
        "last": _time(last.isoformat()),
    }  # fmt: skip


def graph(campaign: Mapping[str, Any]) -> dict[str, Any] | None:
    """Accounts on the left, what they share on the right, and the lines between them; places from 0 to 1."""
    edges = [e for e in campaign["edges"] if not isinstance(e["value"], Mapping)][:MOST_EDGES]
    hidden = len(campaign["edges"]) - len(edges)
    if not edges:
        return None
    left = list(dict.fromkeys(said(e["account_id"]) for e in edges))
    right = list(dict.fromkeys((e["trait"], said(e["value"])) for e in edges))
    at = {name: (i + 0.5) / len(left) for i, name in enumerate(left)}
    to = {name: (i + 0.5) / len(right) for i, name in enumerate(right)}
    return {
        "accounts": [[name, y] for name, y in at.items()],
        "values": [[_short(f"{trait} {value}"), y] for (trait, value), y in to.items()],
        "lines": [[at[said(e["account_id"])], to[(e["trait"], said(e["value"]))]] for e in edges],
        "hidden": hidden,
    }


def _method(method: Mapping[str, Any]) -> dict[str, Any]:
    baseline = method.get("baseline") or {}
    time_range = method.get("time_range") or {}
    return {
        "question": method["question"],
        "facts": [
            ["Program", f"{method['program']} {(method.get('versions') or {}).get('stillwatch', '')}"],
            ["Settings digest", said(method.get("settings_digest"))],
            ["Digest key", said(method.get("key_id"))],
            ["Seed", said(method.get("seed"))],
            ["Exchanges read", f"{(method.get('counts') or {}).get('exchanges', 0):,}"],
            ["Time range", f"{_time(time_range.get('start'))} to {_time(time_range.get('end'))}"],
            ["Compared with", ", ".join(said(baseline.get(k)) for k in ("name", "as_of", "source"))],
            ["Stated rate", f"false discovery rate {said(method.get('false_discovery_rate'))}"],
        ],
        "assumptions": method["error rates"]["assumptions"], "limits": method["limits"],
        "inputs": [[r["name"], r["digest"], f"{r['rows']:,}"] for r in method.get("inputs", [])],
        "files": sorted([name, digest] for name, digest in method["files_of_the_run"].items()),
    }  # fmt: skip


def _circumvention(document: Any) -> dict[str, Any] | None:
    if document is None:
        return None
    rows = [
        [
            _time(r["at"]),
            r["kind"].replace("_", " "),
            said(r["account_id"]) if r["account_id"] else "the group",
            r["fact"],
            r["source"],
        ]
        for r in document["timeline"][:MOST_ROWS]
    ]
    return {
        "rows": rows,
        "absent": sorted([k.replace("_", " "), v] for k, v in document["not on record"].items()),
    }


def _seals(seals: Mapping[str, Any]) -> str:
    """What the package must hold beside its files, in words."""
    people = f"{seals['signatures']} people sign" if seals["signatures"] > 1 else "one person signs"
    stamps = {0: "no timestamp", 1: "one RFC 3161 timestamp"}
    count = seals["timestamps"]
    log = f"in the log {seals['log']}" if seals["log"] else "in no log"
    return f"{people}; {stamps.get(count, f'{count} RFC 3161 timestamps')}; {log}"


def _record(page: Mapping[str, Any]) -> dict[str, Any] | None:
    """What people did on the case: scans, measures by plan, appeals, and the timeline as far as this reader gets it."""
    case = page.get("case")
    if case is None:
        return None
    appeals, steps = page.get("appeals", []), page.get("timeline", [])
    scans = case["scans"]
    return {
        "facts": [
            ["State", case["state"]],
            ["Opened", _time(case["opened_at"])],
            ["Closed", _time(case["closed_at"]) if case["closed_at"] else "not closed"],
            ["Scans that showed it", f"{len(scans):,}"],
            ["Accounts that left it", f"{case['accounts that left']:,}: an earlier scan had them, the newest has not"],
            ["Hours logged", f"{case['hours']:g}"],
        ],
        "scans": [
            [_time(s["at"]), s["run_id"][:12], s["relation"], f"{s['accounts']:,}", f"{s['joined']:,} / {s['left']:,}"]
            for s in scans[-MOST_ROWS:]
        ],
        "measures": _by_plan(page.get("measures", [])),
        "appeals": [
            [a["appeal"], said(a["account_id"]), _time(a["filed_at"]) if a["filed_at"] else "not filed",
             f"{a['outcome']}, by {a['decided_by']}, {_time(a['decided_at'])}" if a["outcome"] else a["state"]]
            for a in appeals[:MOST_ROWS]
        ],
        "more_appeals": max(0, len(appeals) - MOST_ROWS),
        "steps": [
            [_time(s["at"]), s["person"], s["kind"], said(s["words"]) if s["words"] is not None else "left out"]
            for s in steps[-MOST_ROWS:]
        ],
        "more_steps": max(0, len(steps) - MOST_ROWS),
    }  # fmt: skip


def _by_plan(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Measures by plan and kind: how many, and from when to when."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        found.setdefault((row["plan"], row["what"], row["executor"]), []).append(row["at"])
    return [[*which, f"{len(at):,}", _time(at[0]), _time(at[-1])] for which, at in found.items()]


def _terms(rows: Any) -> dict[str, Any] | None:
    if rows is None:
        return None
    tally: dict[str, list[str]] = {}
    for row in rows:
        tally.setdefault(said(row["tos_version"]), []).append(said(row["verification"]))
    dated = sum(1 for row in rows if row["accepted_at"] is not None)
    shown = [[k, _tally(v), f"{len(v):,}"] for k, v in sorted(tally.items())]
    return {"rows": shown, "count": len(rows), "dated": dated}


def _attribution(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    percent = given.get("likelihood_percent")
    return {
        "level": given["level"], "statement": str(given.get("statement") or ""),
        "signed_by": said(given.get("signed_by")),
        "likelihood": f"{given.get('likelihood')} ({percent[0]} to {percent[1]} %)" if percent else "not stated",
        "confidence": said(given.get("confidence")), "caution": given.get("caution", ""),
        "facts": [[f["kind"], f["fact"], f["source"]] for f in given.get("facts", [])],
        "hypotheses": [[h["claim"], h["for"], h["against"]] for h in given.get("hypotheses", [])],
    }  # fmt: skip


def _p(figures: Mapping[str, Any]) -> str:
    if figures["p_value"] is None:
        return "not judged: too few honest groups of like size to compare with"
    compared = figures["honest groups it was compared with"]
    return f"p = {figures['p_value']:.4g} among {compared:,} honest groups of like size"


def _figure(figure: Mapping[str, Any]) -> str:
    known = [figure[k] for k in ("low", "best", "high")]
    if all(v is None for v in known):
        return "not stated"
    low, best, high = (f"{v:,.0f}" if v is not None else "?" for v in known)
    unit = figure["unit"].replace("_", " ")
    return f"{low} to {high} {unit}" if figure["best"] is None else f"{best} {unit} ({low} to {high})"


def _tally(words: Sequence[str]) -> str:
    return ", ".join(f"{word} {words.count(word):,}" for word in sorted(set(words)))


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _time(value: Any) -> str:
    if value is None:
        return "time not on record"
    return datetime.fromisoformat(str(value)).strftime("%Y-%m-%d %H:%M UTC")


__all__ = ["graph", "html", "model", "pdf", "timeline", "typeset", "waterfall"]
