"""Who may be behind a campaign: apart from detection, in levels, each with the facts it needs, and signed by a person.

Detection says that accounts act as if run by one controller. It never says who that is. An attribution is written by a
person, states how likely it is in the words of ICD 203, names at least one other hypothesis and what speaks for and
against each, and rests on facts of kinds that its level asks for. Nationality is never inferred from language, name or
the use of a VPN, and `lint` refuses a text that does.

References: ICD 203 (analytic standards), words of estimative probability; H.R. 8283 section 3(7) (location information
alone makes nobody a provider of fraudulent accounts).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stillwatch.errors import ConfigError


class Level(StrEnum):
    """How far an attribution goes; each level stands on the one before."""

    UNKNOWN = "unknown_operator"
    PROVIDER = "account_network_provider"
    ORGANISATION = "organisation"
    PERSONS = "named_persons"


class Fact(StrEnum):
    """Kinds of facts. What people speak, are called or route their traffic through is none."""

    PAYMENT_RECORD = "payment_record"
    CORPORATE_RECORD = "corporate_record"
    CONTRACT = "contract"
    OFFER_OF_SALE = "offer_of_sale"
    CREDENTIAL_IN_CODE = "credential_in_code"
    IDENTITY_DOCUMENT = "identity_document"
    STATEMENT = "statement_of_the_party"
    STUDENT_MODEL_TEST = "student_model_test"
    LEGAL_PROCESS = "answer_to_legal_process"
    OWNED_INFRASTRUCTURE = "owned_infrastructure"
    DETECTION = "detection"


STRONG = frozenset(Fact) - {Fact.DETECTION, Fact.STUDENT_MODEL_TEST}
NEEDS: dict[Level, tuple[int, frozenset[Fact]]] = {
    Level.UNKNOWN: (0, frozenset()),
    Level.PROVIDER: (1, frozenset({Fact.OFFER_OF_SALE, Fact.CONTRACT, Fact.STATEMENT, Fact.LEGAL_PROCESS})),
    Level.ORGANISATION: (2, STRONG),
    Level.PERSONS: (
        2,
        frozenset({Fact.IDENTITY_DOCUMENT, Fact.STATEMENT, Fact.LEGAL_PROCESS, Fact.CORPORATE_RECORD}),
    ),
}
"""How many facts, of different kinds, from which kinds."""
LIKELIHOOD = {
    "almost no chance": (1, 5), "very unlikely": (5, 20), "unlikely": (20, 45), "roughly even chance": (45, 55),
    "likely": (55, 80), "very likely": (80, 95), "almost certain": (95, 99),
}  # fmt: skip
"""Words and the percentages they stand for (ICD 203)."""
CONFIDENCE = ("low", "moderate", "high")
_ORIGIN = (
    r"chinese|russian|iranian|north[ -]korean|korean|american|israeli|indian|french|german|british|vietnamese|turkish|"
    r"ukrainian|arab|persian|foreign national|nationality|national of|citizen|from (?:china|russia|iran|north korea)"
)
_WEAK = (
    r"language|speak|written in|wrote in|prompts? in|characters|surname|first name|given name|"
    r"names? (?:sound|look|are)|"
    r"\bvpn\b|proxy exit|time ?zone|keyboard|locale|accent|translat"
)
_INFERENCE = re.compile(
    rf"(?:{_WEAK})[^.!?\n]{{0,160}}(?:{_ORIGIN})|(?:{_ORIGIN})[^.!?\n]{{0,160}}(?:{_WEAK})", re.IGNORECASE
)
_SURE = re.compile(
    r"\b(?:certainly|undoubtedly|proves? that|without (?:a )?doubt|guilty|criminals?)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with an attribution, and where."""

    where: str
    reason: str


def lint(given: Mapping[str, Any]) -> list[Problem]:
    """Everything that speaks against publishing an attribution as it is written.

    >>> [p.where for p in lint({"level": "organisation"})][:3]
    ['likelihood', 'confidence', 'signed_by']
    """
    try:
        level = Level(given.get("level", ""))
    except ValueError:
        return [Problem("level", f"one of {', '.join(Level)}")]
    found: list[Problem] = []
    if level is not Level.UNKNOWN:
        if given.get("likelihood") not in LIKELIHOOD:
            found.append(Problem("likelihood", f"one of ICD 203's words: {', '.join(LIKELIHOOD)}"))
        if given.get("confidence") not in CONFIDENCE:
            found.append(Problem("confidence", "low, moderate or high; it is not the likelihood"))
    if not str(given.get("signed_by") or "").strip():
        found.append(Problem("signed_by", "a person puts their name under it; a program does not"))
    found += _facts(level, given)
    found += _hypotheses(level, given)
    found += [p for where, text in _texts(given, "") for p in words_of(where, text)]
    return found


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The attribution as it goes into a package, with the meaning of its words.

    Raises:
        ConfigError: it may not be published as it is; the first reason is said.
    """
    problems = lint(given)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(
            f"attribution: {problems[0].where}: {problems[0].reason}{more}",
            hint="detection needs no attribution: leave it out, or write it with its facts and alternatives",
        )
    word = given.get("likelihood")
    percent = LIKELIHOOD[word] if word else None
    return {
        **given, "likelihood_percent": list(percent) if percent else None,
        "caution": "Not all accounts need belong to one actor. This is a person's judgement, not a result.",
    }  # fmt: skip


def _facts(level: Level, given: Mapping[str, Any]) -> list[Problem]:
    least, kinds = NEEDS[level]
    found, good = [], set()
    for i, fact in enumerate(given.get("facts") or []):
        where = f"facts[{i}]"
        if not isinstance(fact, Mapping) or fact.get("kind") not in list(Fact):
            found.append(Problem(where, f"its kind is one of {', '.join(Fact)}"))
        elif not str(fact.get("fact") or "").strip() or not str(fact.get("source") or "").strip():
            found.append(Problem(where, "says what is so, and which source says it"))
        elif Fact(fact["kind"]) in kinds:
            good.add(fact["kind"])
    if len(good) < least:
        need = ", ".join(sorted(kinds))
        found.append(
            Problem("facts", f"{level} needs {least} kinds of facts from: {need}; it has {len(good)}")
        )
    return found


def _hypotheses(level: Level, given: Mapping[str, Any]) -> list[Problem]:
    rows = given.get("hypotheses") or []
    if level is Level.UNKNOWN:
        return []
    if len(rows) < 2:
        return [Problem("hypotheses", "at least two, of which one is innocent or names somebody else")]
    return [
        Problem(f"hypotheses[{i}]", "says what speaks for it and what against it")
        for i, row in enumerate(rows)
        if not isinstance(row, Mapping)
        or not all(str(row.get(k) or "").strip() for k in ("claim", "for", "against"))
    ]


def words_of(where: str, text: str) -> list[Problem]:
    """What is wrong with the words of one text: origin inferred, or a certainty that no judgement has."""
    found = []
    if _INFERENCE.search(text):
        found.append(
            Problem(
                where, "origin is not inferred from language, names or VPN use: give a record that states it"
            )
        )
    sure = _SURE.search(text)
    if sure:
        found.append(Problem(where, f"{sure[0]!r} is no word for a judgement: use those of ICD 203"))
    return found


def _texts(value: Any, where: str) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(where or "text", value)]
    if isinstance(value, Mapping):
        return [t for k, v in value.items() for t in _texts(v, f"{where}.{k}" if where else str(k))]
    if isinstance(value, list | tuple):
        return [t for i, v in enumerate(value) for t in _texts(v, f"{where}[{i}]")]
    return []
