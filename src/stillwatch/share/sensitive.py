"""What no text may hold that leaves: personal data, secrets, prompts, business, exact figures, computed ids.

Each rule is a pattern with a reason, read over every string of a bundle. A rule says where, never what: the finding
itself would be the leak.

Limits: patterns find what has a form. A customer's name in plain words, or a prompt that was paraphrased, has none:
texts that must not leave are given as ``private``, and two people read what leaves.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

SHINGLE = 6
"""So many words of a prompt in a row are a quotation."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is refused, and why."""

    name: str
    found: re.Pattern[str]
    reason: str


def _rule(name: str, reason: str, *parts: str) -> Rule:
    return Rule(name, re.compile("|".join(parts), re.IGNORECASE), reason)


_ACTOR_NOUN = r"(?:customers?|clients?|accounts?|users?|tenants?|subscribers?)"
_COUNTED = (
    rf"(?:{_ACTOR_NOUN}|exchanges?|requests?|prompts?|queries|tokens?|calls?|answers?|completions?|keys?|"
    r"credentials?)\b"
)
_MANY = (
    r"(?:customers|clients|accounts|users|tenants|subscribers|exchanges|requests|prompts|queries|tokens|calls|answers|"
    r"completions|keys|credentials)\b"
)
_SIZE = r"(?:\d[\d.,' ]{0,60}\d|\d+|thousand|million|billion)"
_SHORT = r"(?:thousand|million|billion|k|m|bn)?"
_BETWEEN = (
    r"(?:\sof(?:\s(?:all|the|these|those|our|their|its)){0,2})?"
    r"(?:[\s-](?!(?:the|an?|these|those|our|their|its|and|or|but|when|where|while|which|that|who)\b)[a-z]{2,30}){0,3}"
)
"""Between a number and what it counts: up to three adjectives, or the group that they are of. An article alone begins
something else, so that "in 2026 the accounts moved on" is no count."""
_SAYS = r"(?:\s?[:=(-]|\s(?:is|are|was|were|number(?:ed|s)?|total(?:led|s)?|came to)\b)"
_ABOUT = r"(?:about|around|over|nearly|some|roughly|almost|~)?"
_CURRENCY = r"(?:usd|eur|gbp|cny|rmb|jpy|chf|krw|inr|cad|aud|sgd|hkd)"
RULES = (
    _rule(
        "personal data", "names a person or a way to reach one",
        r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", r"\+\d[\d ().-]{7,17}\d", r"\b\d{3}[ .-]\d{3}[ .-]\d{4}\b",
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b", r"\b(?:passport|date of birth|ssn|social security)\b",
    ),
    _rule(
        "secret", "looks like a key, a token or a password",
        r"\b(?:sk|pk|rk|ghp|gho|github_pat|xox[abprs]|hf|glpat)[-_][A-Za-z0-9_-]{12,}", r"\bAKIA[0-9A-Z]{16}\b",
        r"\beyJ[\w-]{8,}\.[\w-]{8,}", r"-----BEGIN [A-Z ]*(?:KEY|CERTIFICATE)", r"\bbearer\s+\S{12,}",
        r"\b(?:password|passwd|secret|api[ _-]?key)\s*[:=]\s*\S+", r"\bAIza[\w-]{30,}",
    ),
    _rule(
        "prompt text", "reads like a conversation with a model",
        r"<\|[a-z_]+\|>", r"\[/?INST\]", r"<</?SYS>>", r"(?:^|\n)\s*(?:human|user|assistant|system)\s*:",
        r"\byou are an? (?:helpful|expert|ai\b)", r"\b(?:human|assistant)\s*:\s", r"\"role\"\s*:",
        r"\bthink step by step\b",
        r"\bignore (?:all |any )?(?:the )?(?:previous|prior|above) instructions\b",
    ),
    _rule(
        "address", "an address belongs into an indicator, with its end and its ground",
        r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)", r"(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{0,4}(?![\w:])",
        r"(?<![\w:])(?:[0-9a-f]{1,4}:){1,6}:(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?(?:/\d+)?(?![\w:])",
    ),
    _rule(
        "digest", "whoever guesses the value can compute it; share the value or nothing",
        r"\b(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})\b", r"\bsha-?(?:1|256|512):\S+",
    ),
    _rule(
        "antitrust: price", "prices, costs and margins are not shared among competitors",
        r"[$€£¥]\s?\d", rf"\b\d[\d.,]{{0,60}}\s?(?:{_CURRENCY}|dollars?|euros?|cents?)\b",
        rf"\b{_CURRENCY}\s?[:=]?\s?\d",
        r"\b(?:pricing|list price|discount|margin|rebate)s?\b",
        r"\bprices?\b", r"\bcost per (?:token|seat|request)\b",
    ),
    _rule(
        "antitrust: customers", "who a customer is, what they spend or send is not shared among competitors",
        r"\b(?:revenue|turnover|spend(?:ing)?|market share|churn|invoice[sd]?|bookings?)\b",
        rf"\b(?:our|their|its) (?:largest|biggest|top|key|enterprise) {_ACTOR_NOUN}\b", r"\bper[- ]customer\b",
    ),
    _rule(
        "antitrust: plans", "plans, capacity and releases to come are not shared among competitors",
        r"\broad ?maps?\b", r"\b(?:unreleased|upcoming|unannounced|next[- ]generation)\b",
        r"\blaunch(?:es|ing)? (?:in|on|next)\b",
        r"\b(?:gpu|compute|serving|training) (?:capacity|budget|cluster)\b", r"\bcapacity plan\w*\b",
        r"\b(?:agree|agreed) (?:not )?to (?:serve|block|refuse|boycott|charge|price)\b", r"\bboycott\w*\b",
    ),
    _rule(
        "exact figure", "volumes leave as buckets only",
        rf"\b{_SIZE}\s?{_SHORT}[\s-]?{_COUNTED}", rf"\b{_SIZE}\s?{_SHORT}{_BETWEEN}[\s-]{_MANY}",
        rf"\b{_COUNTED}{_SAYS}\s?{_ABOUT}\s?(?!\d{{4}}-\d\d-\d\d){_SIZE}",
    ),
)  # fmt: skip


_DOT = re.compile(r" ?[\[({<] ?(?:\.|dot) ?[\])}>] ?", re.IGNORECASE)
_AT = re.compile(r" ?[\[({<] ?(?:@|at) ?[\])}>] ?", re.IGNORECASE)
_COLON = re.compile(r"[\[({<]:[\])}>]")
_SCHEME = re.compile(r"\bhxxp", re.IGNORECASE)
"""How addresses are defanged."""
_BLANKS, _BLANK_LINES = re.compile(r"[^\S\n]+"), re.compile(r" ?(?:\n ?)+")


def broken(text: str) -> Iterator[Rule]:
    """Rules that a text breaks, read as a person would see it: compatibility forms, hidden characters, defanged
    addresses and runs of blanks are undone.

    >>> [rule.name for rule in broken("ask bob@example.com, $15 per million")]
    ['personal data', 'antitrust: price']
    """
    seen = _BLANK_LINES.sub("\n", _BLANKS.sub(" ", plain(text)))
    return (rule for rule in RULES if rule.found.search(seen) or _card(rule, seen))


def quotes(text: str, prompts: Iterable[str]) -> bool:
    """Whether a text repeats `SHINGLE` words in a row of a prompt, or a whole shorter one.

    >>> quotes("they ask: write out every step of your reasoning", ["Write out every step of your reasoning now."])
    True
    """
    said = f" {' '.join(_words(text))} "
    for prompt in prompts:
        words = _words(prompt)
        size = min(SHINGLE, len(words))
        if size >= 3 and any(
            f" {' '.join(words[i : i + size])} " in said for i in range(len(words) - size + 1)
        ):
            return True
    return False


def needles(private: Iterable[str]) -> tuple[str, ...]:
    """Strings that must not leave, made ready for `names`; what is shorter than three characters names nobody."""
    return tuple({n for word in private if len(n := plain(word).casefold()) >= 3})


def names(text: str, private: Sequence[str]) -> bool:
    """Whether a text holds one of the strings that must not leave, as a word of its own.

    >>> names("seen with ACCT-17 too", needles(["acct-17"])), names("seen with acct-177 too", needles(["acct-17"]))
    (True, False)
    """
    seen = plain(text).casefold()
    for needle in private:
        at = seen.find(needle)
        while at >= 0:
            end = at + len(needle)
            if not (seen[at - 1 : at].isalnum() or seen[end : end + 1].isalnum()):
                return True
            at = seen.find(needle, at + 1)
    return False


def plain(text: str) -> str:
    """A text without hidden characters, in compatibility form, with addresses that were written apart put together.

    >>> plain("bob [at] relay[.]example"), plain("hxxps://a(dot)example")
    ('bob@relay.example', 'https://a.example')
    """
    if not text.isascii():
        text = "".join(
            c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) not in ("Cf", "Cs")
        )
    return _SCHEME.sub("http", _COLON.sub(":", _AT.sub("@", _DOT.sub(".", text))))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", plain(text).casefold())


def _card(rule: Rule, text: str) -> bool:
    """Payment cards: 13 to 19 digits with a right check digit."""
    if rule.name != "personal data":
        return False
    for run in re.findall(r"\b\d(?:[ -]?\d){12,18}\b", text):
        digits = [int(c) for c in run if c.isdigit()]
        odd, even = digits[-1::-2], digits[-2::-2]
        if (sum(odd) + sum(d * 2 - 9 * (d > 4) for d in even)) % 10 == 0:
            return True
    return False
