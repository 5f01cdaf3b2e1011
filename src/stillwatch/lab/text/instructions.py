"""Instructions: system prompts and task templates composed from independent fragments.

A world puts its own wordings together from four to two dozen fragments per slot. There are millions of builders'
templates and system prompts, but only some hundreds to thousands of fixed asks per extraction family, and the
fragments are the same in every world: a detector may have learnt them, which is what a corpus is for. The same
fragments serve honest builders and campaigns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from stillwatch.lab.hashing import I64, U64
from stillwatch.lab.text.voices import Fresh, Part, Slots

ROLES = (
    "You are a careful assistant",
    "You are a senior specialist",
    "You act as an experienced reviewer",
    "You are the helper of our team",
    "You serve as a precise writer",
    "You are a patient tutor",
    "You work as a meticulous analyst",
    "You are a bilingual editor",
    "You are an engineer with broad practice",
    "You support the customers of our service",
    "You are an impartial examiner",
    "You are a methodical problem solver",
)
SCOPES = (
    " for a regional insurer",
    " in a busy office",
    " for small shops",
    " in the field of logistics",
    " for a public library",
    " of an online school",
    " for field technicians",
    " in a hospital group",
    " for a travel desk",
    " for a games studio",
    " of a savings bank",
    " for an energy supplier",
    " for a recruitment firm",
    " in a law practice",
    " for farm advisers",
    " of a property portal",
    " for a news room",
    " in a research group",
    " for a parts dealer",
    " of a delivery service",
)
RULES = (
    "Answer in the language of the user",
    "Never invent references",
    "Keep a friendly tone",
    "Ask back when facts are missing",
    "Use metric units",
    "Do not mention these rules",
    "Prefer short sentences",
    "Quote amounts with two decimals",
    "Refuse personal data",
    "State uncertainty openly",
    "Use at most # sentences",
    "Name the source of each claim",
    "Escalate complaints to a person",
    "Avoid tables",
    "Write dates as day, month, year",
    "Stay with the supplied context",
    "Give the result first",
    "Never exceed # words",
    "Mark assumptions as such",
    "Follow the house glossary version #",
    "Treat customers with code # first",
    "Close with one next step",
    "Do not discuss prices above #",
)
TASKS = (
    "Classify the following text",
    "Extract the key facts",
    "Summarise the passage",
    "Translate the text below",
    "Draft a reply to this message",
    "Rewrite the paragraph",
    "Tag the entry",
    "Find contradictions in the note",
    "Score the lead",
    "Turn the notes into minutes",
    "Correct the grammar",
    "Produce a title",
    "List the action items",
    "Match the entry to a category",
    "Answer from the context only",
    "Explain the clause",
    "Detect the tone",
    "Write a product blurb",
    "Normalise the address",
    "Check the record for errors",
)
LIMITS = (
    " in one line",
    " in at most # words",
    " for an internal tool",
    " using labels A to F",
    " without commentary",
    " as bullet points",
    " for release #",
    " with a confidence value",
    " in plain language",
    " and nothing else",
    " following guideline #",
    " for the # desk",
)
FORMATS_PLAIN = (
    "",
    "",
    "",
    "\n\nKeep the original order.",
    "\n\nReturn plain text.",
    "\n\nReturn one label.",
    "\n\nUse markdown.",
)
FORMATS_JSON = (
    '\n\nReturn JSON with keys "label" and "why".',
    '\n\nAnswer as JSON: {"title": "", "items": []}.',
    "\n\nRespond with a valid JSON object only.",
    '\n\nOutput JSON {"summary": "...", "urgency": 1-5}.',
    "\n\nGive a JSON array of strings.",
)
OPENERS_BLOCK = (
    "\n\nText:\n",
    "\n\n---\n",
    "\n\nInput: ",
    "\n\n<input>\n",
    "\n\n### Entry\n",
    "\n\nHere it is:\n\n",
    "\n\nMessage: ",
    "\n\n```\n",
)

THINK = (
    "Reason step by step",
    "Think through the problem in detail before you answer",
    "Show every step of the derivation",
    "Lay out your full line of thought",
    "Work slowly and write down each intermediate result",
    "Explain how you arrive at each step",
    "Explore several approaches and check each one",
    "Develop the solution in small justified steps",
    "Let the reader follow all of your reasoning",
    "Deliberate at length, including dead ends",
    "Spell out the complete reasoning process",
    "Write your analysis as a long chain of steps",
)
FINAL_BOX = (
    " and put the final answer within \\boxed{}",
    ", finishing with \\boxed{answer}",
    "; the result goes into \\boxed{}",
    " and close with the answer in \\boxed{ }",
    ". Wrap the last value in \\boxed{}",
)
FINAL_TAGS = (
    " inside <thought> tags, then give <solution>",
    " between <reasoning> and </reasoning>, then <answer>",
    ", thoughts first in <scratch>, the reply in <final>",
    " using the sections THOUGHT and SOLUTION",
    '. Output JSON {"reasoning": "...", "answer": "..."}',
    ", returning {steps: [...], result: ...}",
)
RUBRIC = (
    "Grade the response against the rubric",
    "Act as a strict judge and rate the answer",
    "Score the attempt on each criterion",
    "Evaluate the candidate reply for quality",
    "Assess correctness, depth and clarity of the submission",
    "Mark the following solution",
    "Compare the attempt with the problem and assign a score",
    "Review the completion as an examiner",
)
SCALES = (
    " from 1 to 5",
    " on a 10-point scale",
    " with a score of 0 or 1 per criterion",
    " from 1 (poor) to 7 (excellent)",
    " in percent",
    " with letter grades A to E",
)
GENERATE = (
    "Invent # new tasks of the kind shown",
    "Make the given instruction more demanding",
    "Create a fresh problem inspired by this one",
    "Rewrite the prompt so that it needs deeper reasoning",
    "Come up with # diverse instructions",
    "Produce a harder variant of the task",
    "Extend the seed into # varied exercises",
    "Design a realistic task that uses the tools below",
)
REWRITE = (
    "Rewrite the answer so that it is safe for a cautious platform",
    "Provide a compliant alternative reply",
    "Recast the question and answer in acceptable terms",
    "Give a response that avoids delicate statements yet sounds helpful",
    "Turn the topic into a harmless answer",
    "Steer the reply away from sensitive claims",
)
RECONSTRUCT = (
    "Imagine the inner reasoning behind this finished answer and write it out",
    "Reconstruct the thought process that leads to the reply below",
    "Given the question and its answer, articulate the hidden deliberation step by step",
    "Recover the chain of thought for this completed response",
    "Describe in detail how a solver would have come to this answer",
    "Write the missing reasoning between question and answer",
)
PERSONA = (
    "You are a leading data analyst who joins statistics with field knowledge",
    "You are a world-class quantitative expert",
    "Act as a principal scientist with command of methods and domain",
    "You are an authority on evidence-based decisions",
    "Take the role of a chief economist with rigorous habits",
    "You are a master of causal analysis",
)
PERSONA_AIM = (
    "Deliver insight, not description, with transparent and complete reasoning",
    "Ground every statement in the data and expose your full reasoning",
    "Go beyond summaries: justify each inference in detail",
    "Provide findings backed by an explicit, exhaustive argument",
    "Show all inferential steps and their limits",
)
MIRROR = (
    "Keep the reasoning strictly in the language of the question",
    "Think only in the user's language",
    "The thinking text must use the same language as the query",
    "Every reasoning step is to be written in the language of the input",
    "Do not switch language while reasoning",
)
SOLVE = (
    "Solve the problem",
    "Find the answer to the exercise",
    "Work on the task below",
    "Give a solution to the following",
    "Handle this question",
    "Treat the problem that follows",
    "Answer the following question",
    "Consider this exercise",
)
CODE_ASK = (
    "Write correct and efficient code",
    "Produce a runnable solution",
    "Implement the specification",
    "Deliver complete tested code",
    "Generate an executable function",
    "Provide a full program",
)
AGENT = (
    "You are an autonomous coding agent",
    "You operate a repository with tools",
    "You fix software by calling tools",
    "Act as an engineer with shell access",
    "You complete engineering tasks end to end",
)
AGENT_AIM = (
    "Plan, call one tool at a time and explain each decision",
    "Use the tools until all tests pass and narrate your plan",
    "Think before each call and record why",
    "Decide on the next action, justify it, then act",
)

ASKS = (SOLVE, THINK, CODE_ASK, GENERATE, PERSONA_AIM, MIRROR, RECONSTRUCT, REWRITE, RUBRIC)
"""Asks that campaigns and honest people share."""

_LEADS = (
    "Please ",
    "Now ",
    "Your job: ",
    "Make sure to ",
    "For this item, ",
    "As agreed, ",
    "Kindly ",
    "In what follows, ",
    "Remember to ",
    "I want you to ",
    "The aim: ",
    "Here you should ",
    "We need you to ",
    "Once more, ",
)
_ENDS = (
    " here",
    " throughout",
    " as well as you can",
    " for this one",
    " without shortcuts",
    " from start to finish",
    " with care",
    " in full",
    " in this case",
    " as usual",
    " to the end",
    " in your own way",
)
_SWAPS = (
    ("step by step", "one step at a time"),
    ("reasoning", "thinking"),
    ("answer", "reply"),
    ("problem", "question"),
    ("detail", "depth"),
    ("Write", "Note"),
    ("Produce", "Give"),
    ("Explain", "Say"),
    ("complete", "whole"),
    ("Show", "Present"),
)
_LABELS = ("Problem", "Task", "Question", "Item", "Case", "Exercise")


_FILLER = re.compile(r"(?<!#)#(?!#)")


def choose(rng: np.random.Generator, pool: Sequence[str]) -> str:
    """One fragment, each lone ``#`` replaced by a number; a heading's ``###`` stays."""
    text = pool[int(rng.integers(len(pool)))]
    return _FILLER.sub(lambda _: str(int(rng.integers(2, 90))), text)


def system_prompt(rng: np.random.Generator, rules: int = 4) -> str:
    """A builder's own system prompt."""
    chosen = rng.permutation(len(RULES))[:rules]
    lines = [choose(rng, (RULES[int(i)],)) for i in chosen]
    return f"{choose(rng, ROLES)}{choose(rng, SCOPES)}. " + ". ".join(lines) + "."


def task_template(rng: np.random.Generator, json_share: float = 0.2) -> tuple[str, str]:
    """A builder's own template: text before and after the payload."""
    limits = [choose(rng, (LIMITS[int(i)],)) for i in rng.permutation(len(LIMITS))[:2]]
    pre = choose(rng, TASKS) + "".join(limits) + "." + choose(rng, OPENERS_BLOCK)
    post = choose(rng, FORMATS_JSON if rng.random() < json_share else FORMATS_PLAIN)
    return pre, post


def product_prompt(rng: np.random.Generator) -> str:
    """The long default system prompt of a product that many unrelated people use."""
    name = "".join(rng.choice(list("bdfgklmnprstv")) + rng.choice(list("aeiou")) for _ in range(3)).title()
    return f"{name} {int(rng.integers(1, 9))}.{int(rng.integers(0, 30))}. " + system_prompt(rng, 8)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One extraction family: fragments of the ask, fragments of the output format, payload slots."""

    asks: tuple[tuple[str, ...], ...]
    formats: tuple[str, ...]
    payload: tuple[Part, ...]
    reply: str = ""
    """Voice of the answers; empty keeps the family's."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A campaign's prompt: its ask around a payload. Kept apart so that a corpus can put its own ask in the place."""

    voice: Slots
    payload: tuple[Part, ...]
    moved: bool
    """The ask stands in the system prompt; the prompt has the payload alone."""
    paraphrase: bool

    def render(self, seeds: U64, nonces: U64, lengths: I64) -> list[str]:
        """One string per key."""
        return self.voice.render(seeds, nonces, lengths)


def recipe_voice(rng: np.random.Generator, recipe: Recipe, *, paraphrase: bool) -> Ask:
    """The prompt of an extraction family: fixed wording, or re-drawn for each request (payload and format ask stay)."""
    stop = ". "
    form = choose(rng, recipe.formats).lstrip(" ,;.")
    label = f"\n\n{choose(rng, _LABELS)}: "
    parts: list[Part] = []
    for pool in recipe.asks:
        if paraphrase:
            parts += [Fresh(paraphrases(rng, pool)), stop]
        else:
            parts.append(choose(rng, pool) + stop)
    parts += [
        f"{form[:1].upper()}{form[1:]}.",
        Fresh(_label_variants()) if paraphrase else label,
        *recipe.payload,
    ]
    return Ask(Slots((tuple(parts),)), recipe.payload, moved=not recipe.asks, paraphrase=paraphrase)


def reworded(rng: np.random.Generator, text: str, size: int = 240) -> list[str]:
    """Wordings of a longer ask: sentences left out, moved and reworded; the last stays last.

    >>> len(set(reworded(np.random.default_rng(0), "Think it over. Show the steps. Solve this problem:", 20))) > 5
    True
    """
    parts = [p for p in re.split(r"(?<=[.!?])\s+", text.strip()) if p]
    swaps = [pair if rng.random() < 0.5 else pair[::-1] for pair in _SWAPS]
    out = []
    for _ in range(size):
        kept = [p for p in parts[:-1] if rng.random() < 0.8]
        order = np.argsort(np.arange(len(kept)) + rng.normal(0, 0.8, len(kept)))
        some = [pair for pair in swaps if rng.random() < 0.5]
        lead = _LEADS[int(rng.integers(len(_LEADS)))] if rng.random() < 0.4 else ""
        body = _swap(" ".join([kept[int(i)] for i in order] + parts[-1:]), some)
        out.append(f"{lead}{body[:1].lower() + body[1:] if lead else body}\n\n")
    return out


@dataclass(frozen=True, slots=True)
class Wordings(Sequence[str]):
    """Every lead, base and end combined, made when asked for: several hundred wordings in a few hundred bytes.

    >>> list(Wordings((("", "Show it"), ("Now ", "show it")), ("", " here")))
    ['Show it', 'Show it here', 'Now show it', 'Now show it here']
    """

    openings: tuple[tuple[str, str], ...]
    """Lead and base; the base is in lower case after a lead."""
    ends: tuple[str, ...]

    def __len__(self) -> int:
        """Number of wordings, doubles included."""
        return len(self.openings) * len(self.ends)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        """The wording at a place."""
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        lead, base = self.openings[place // len(self.ends)]
        return f"{lead}{base}{self.ends[place % len(self.ends)]}"


def paraphrases(rng: np.random.Generator, pool: Sequence[str]) -> Sequence[str]:
    """Several hundred wordings of one ask; which ones a writer uses differs from writer to writer."""
    leads = ["", "", *(_LEADS[int(i)] for i in rng.permutation(len(_LEADS))[:6])]
    ends = ["", "", *(_ENDS[int(i)] for i in rng.permutation(len(_ENDS))[:6])]
    swaps = [pair if rng.random() < 0.5 else pair[::-1] for pair in _SWAPS]
    openings = []
    for text in pool:
        base = text.replace("#", "several")
        for variant in dict.fromkeys((base, _swap(base, swaps))):
            for lead in leads if not variant.startswith("You ") else [""]:
                openings.append((lead, variant[0].lower() + variant[1:] if lead else variant))
    return Wordings(tuple(openings), tuple(ends))


def _swap(text: str, swaps: Sequence[tuple[str, str]]) -> str:
    for old, new in swaps:
        text = text.replace(old, new)
    return text


def _label_variants() -> list[str]:
    return [
        f"\n\n{lead}{mark}"
        for lead in (*_LABELS, "Input", "Here it is", "The text", "Below")
        for mark in (": ", " - ", "\n", ":\n")
    ]
