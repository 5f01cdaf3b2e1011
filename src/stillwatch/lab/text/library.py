"""The voices of one world: pools are drawn from the world's seed, so no two worlds share their
sentences."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.corpus import Corpus
from stillwatch.lab.text import payloads
from stillwatch.lab.text.borrowed import Borrowed
from stillwatch.lab.text.english import CLOSES, DOMAINS, LINKS, MODIFIERS, OPENINGS, QUALIFIERS, REPLY_LEADS
from stillwatch.lab.text.instructions import Ask, product_prompt, system_prompt, task_template
from stillwatch.lab.text.languages import TONGUES
from stillwatch.lab.text.voices import Prose, Slots, Voice, expand

STYLES = ("plain", "terse", "chatty", "formal", "typos")
"""Manners of writing; English has all, other languages one each."""


class Library:
    """Numbered voices, made on first use.

    Each voice gets its own generator, seeded by its name: the order in which classes ask does not matter.
    """

    def __init__(self, seed: int, corpus: Corpus | None = None) -> None:
        self._seed = seed
        self._borrowed = Borrowed(corpus) if corpus else None
        self._asks: dict[int, str | None] = {}
        self._ids: dict[str, int] = {}
        self.voices: list[Voice] = []
        self._bodies: dict[str, list[str]] = {}

    def rng(self, name: str) -> np.random.Generator:
        """Generator that depends on the world and the name only."""
        return np.random.default_rng([self._seed, *name.encode()])

    def add(self, name: str, voice: Voice) -> int:
        """Number of a voice under this name, registering it if new."""
        if name not in self._ids:
            number = self._ids[name] = len(self.voices)
            if self._borrowed is not None and isinstance(voice, Ask):
                voice, self._asks[number] = self._borrowed.reword(name, voice, self.rng(name))
            self.voices.append(voice)
        return self._ids[name]

    def system_of(self, voice: int, system: str | None) -> str | None:
        """The system prompt that goes with a voice: a campaign's own is exchanged when the text is borrowed."""
        if self._borrowed is None or voice not in self._asks or system is None:
            return system
        return self._asks[voice] or self._borrowed.system(self.rng(f"ask:{voice}"))

    def system(self, rng: np.random.Generator, rules: int = 4) -> str:
        """A builder's own system prompt."""
        return self._borrowed.system(rng) if self._borrowed else system_prompt(rng, rules)

    def template(self, rng: np.random.Generator, json_share: float = 0.2) -> tuple[str, str]:
        """A builder's own template: text before and after the input."""
        return self._borrowed.template(rng) if self._borrowed else task_template(rng, json_share)

    def product(self, rng: np.random.Generator) -> str:
        """The default system prompt of a product that many unrelated people use."""
        return self._borrowed.system(rng) if self._borrowed else product_prompt(rng)

    def borrowed_ask(self, rng: np.random.Generator, kind: str) -> str:
        """An ask of the corpus for honest people who want what campaigns want; empty without a corpus."""
        return self._borrowed.ask(rng, kind) if self._borrowed else ""

    def get(self, name: str) -> int:
        """Number of a built-in voice: ``prose:DOMAIN:STYLE``, ``tongue:LANG``, ``reply:LANG`` or a payload name."""
        if name in self._ids:
            return self._ids[name]
        return self.add(name, self._make(name))

    def voice(self, name: str) -> Voice:
        """The voice itself."""
        return self.voices[self.get(name)]

    def prose(self, domain: str, style: str) -> int:
        """English prose about a field in a manner."""
        return self.get(f"prose:{domain}:{style}")

    def body(self, domain: str) -> list[str]:
        """Context sentences of an English field."""
        if domain not in self._bodies:
            rng, d = self.rng(f"body:{domain}"), DOMAINS[domain]
            single = expand(rng, [d.subjects, d.events], 2500, sep=" ")
            spaced = [f" {e}" for e in d.events]
            double = expand(
                rng, [d.subjects, spaced, LINKS, [s[0].lower() + s[1:] for s in d.subjects], spaced], 3500
            )
            self._bodies[domain] = [f"{s}. " for s in single + double]
        return self._bodies[domain]

    def _make(self, name: str) -> Voice:
        kind, _, rest = name.partition(":")
        rng = self.rng(name)
        spoken = self._borrowed.voice(name, rng) if self._borrowed else None
        if spoken is not None:
            return spoken
        if kind == "prose":
            domain, style = rest.split(":")
            return self._english(domain, style, rng)
        if kind == "document":
            body = self.body(rest)
            heads = expand(rng, [("[#] ", "Source #: ", "<doc id=#> ", "Passage #. ", "Section #: ")], 4000)
            tail = expand(
                rng,
                [
                    ("\n\nQuestion: ",),
                    [f"what about the {n}?" for n in DOMAINS[rest].nouns],
                    ("", " (ref #)"),
                ],
                600,
            )
            return Prose((heads, body), body, tail)
        if kind == "tongue":
            return _foreign(rest, rng)
        if kind == "reply":
            return self._reply(rest, rng)
        if kind == "followup":
            return _followup(rng)
        if kind == "hello":
            return Prose((("hi", "hi", "hello", "ping", "test", "hi "),), ("",), ("",))
        if kind == "record":
            return payloads.record_voice(rng)
        if kind == "solution":
            return payloads.solution_voice(rng)
        return {
            "math": payloads.math_voice,
            "code": payloads.code_voice,
            "repo": payloads.repo_voice,
            "tool_result": payloads.tool_result_voice,
            "analyst": payloads.analyst_voice,
            "sensitive": payloads.sensitive_voice,
            "paired": payloads.paired_political_voice,
            "jailbreak": payloads.jailbreak_voice,
        }[kind]()

    def _english(self, domain: str, style: str, rng: np.random.Generator) -> Voice:
        d = DOMAINS[domain]
        topics = [_after_a(x) for x in expand(rng, [MODIFIERS, d.nouns, [f" {p}" for p in d.places]], 6000)]
        body = self.body(domain)
        qualifiers = expand(rng, [QUALIFIERS], 120)
        if style in ("terse", "typos"):
            spoil = _terse if style == "terse" else _typo
            topics = [spoil(x, rng) for x in topics]
            body = [spoil(x, rng) for x in body]
            qualifiers = [" ", " ", ". ", " - ", "?? ", ", "]
        return Prose((OPENINGS[style], topics, qualifiers), body, CLOSES[style])

    def _reply(self, lang: str, rng: np.random.Generator) -> Voice:
        if lang == "en":
            body = [s for d in DOMAINS for s in self.body(d)[::12]]
            return payloads.answer_voice(rng, REPLY_LEADS, body)
        if lang == "code":
            lines = expand(
                rng,
                [
                    ("    x = ", "    total += ", "    if n > ", "    return ", "    for i in range("),
                    ("#", "load(#)", "state[#]", "step(#, #)"),
                    ("\n", "  // keep order\n", "\n"),
                ],
                4000,
            )
            return Prose(
                (("```python\ndef run(items):\n", "```go\n", "```ts\n", "Patch:\n```diff\n"), lines),
                lines,
                ("```\n", "```\nAll tests pass.\n"),
            )
        t = TONGUES[lang]
        said = [f"{p}{t.stop}" for p in t.predicates]
        body = expand(rng, [t.subjects, said], 4000, sep=t.space)
        lead = expand(rng, [t.subjects, said], 2000, sep=t.space)
        return Prose((lead,), body, ("",))


def _after_a(topic: str) -> str:
    """A topic that may follow "a": no vowel begins it.

    >>> _after_a("obituary in # lines"), _after_a("toast")
    ('short obituary in # lines', 'toast')
    """
    return f"short {topic}" if topic[0] in "aeiou" else topic


def _terse(text: str, rng: np.random.Generator) -> str:
    return text.lower().replace(". ", " ").replace("the ", "")


def _typo(text: str, rng: np.random.Generator) -> str:
    if len(text) < 6:
        return text
    at = int(rng.integers(1, len(text) - 3))
    return (text[:at] + text[at + 1] + text[at] + text[at + 2 :]).lower()


def _foreign(lang: str, rng: np.random.Generator) -> Voice:
    t = TONGUES[lang]
    space = t.space
    opens = [f"{o}{space}" for o in t.opens]
    topics = expand(rng, [t.topics, (space,), t.qualifiers, (t.stop,)], 3000)
    links = expand(rng, [t.subjects, (space,), t.predicates, (t.stop,)], 5000)
    return Prose((opens, topics), links, t.closes)


def _followup(rng: np.random.Generator) -> Voice:
    ask = ("Now ", "Ok, ", "And ", "Then ", "Right, ", "One more thing: ", "Sorry, ", "Good. ", "Hmm, ")
    what = (
        "shorten point #",
        "swap # and #",
        "make paragraph # warmer",
        "redo the part after line #",
        "why # and not #",
        "add an example with #",
        "drop item #",
        "use # instead",
        "translate part #",
        "check figure #",
        "continue from #",
    )
    tail = (".", "?", " please.", ", then stop.", " for my manager.", " in the same tone.", "")
    rows = expand(rng, [ask, what, tail], 6000)
    more = expand(
        rng,
        [
            ("It is for ", "I forgot: ", "We have ", "Keep "),
            ("# people", "page #", "the # May version", "# lines"),
            (". ",),
        ],
        1500,
    )
    return Slots(((rows,), (rows, " ", more)))
