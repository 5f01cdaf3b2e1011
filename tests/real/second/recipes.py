"""The requests of published distillation pipelines, worded after their fingerprints (research/ecosystem.md, A1).

Openings that are a pipeline's mark are kept; the rest is ours. EasyDistill's five prompts are read from the data.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from .text import Text, fragment, renumber

DEPTH = (
    "adding one more constraint or requirement",
    "replacing general concepts with more specific ones",
    "asking for several explicit steps of reasoning",
    "deepening and widening what is asked",
    "making the input more complicated, with data in a table",
)
MAGPIE = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n"
TRAJECTORY = (
    "You are an expert agent combining planning with deep tool knowledge. Solve the task with the tools; before "
    "every call, state the plan, what you expect, and what you will do if it fails."
)
DEEP = (
    "Your role as an assistant is to reason systematically and at length before answering. Put the whole search, "
    "with checks and corrections, between <think> and </think>, then the final answer."
)
CODE = "Generate an executable Python function generated from the given prompt. Return the function body only.\n\n"
JUDGE = (
    "###Task Description:\nAn instruction, a response to evaluate, and a score rubric are given. Write feedback "
    "strictly by the rubric, not in general, then a score that is an integer from 1 to 5. The format is: Feedback: "
    "(...) [RESULT] (1 to 5).\n\n"
)
NEUTRAL = (
    "Rewrite the question and write an answer to it that a strict content regulator would accept: avoid the "
    "sensitive point without saying so, stay friendly, redirect to what may be said. Give three variants."
)


def evolve(rnd: random.Random, instruction: str) -> str:
    """Evol-Instruct: in depth, or in breadth."""
    if rnd.random() < 0.25:
        return (
            "I want you act as a Prompt Creator.\nDraw inspiration from the #Given Prompt# to create a brand new "
            "prompt of the same domain that is rarer. Similar length and difficulty; it must be answerable by "
            f"people.\n#Given Prompt#:\n{instruction}\n#Created Prompt#:\n"
        )
    return (
        "I want you act as a Prompt Rewriter.\nMake the #Given Prompt# harder for well-known assistants, but still "
        f"reasonable and answerable, by {rnd.choice(DEPTH)}. Keep tables and code. Add ten to twenty words only.\n"
        f"#Given Prompt#:\n{instruction}\n#Rewritten Prompt#:\n"
    )


def harder(rnd: random.Random, text: Text, instruction: str) -> str:
    """What a rewriter might make of an instruction: one or two demands more, and another setting."""
    role, other = rnd.choice(text.roles), rnd.choice(text.roles)
    demands = (
        f"Assume a budget of {rnd.randrange(2, 90) * 50} and {rnd.randrange(2, 30)} days.",
        f"Write for a {role} who has never done this.",
        f"Use at most {rnd.randrange(4, 30) * 10} words.",
        f"Compare it with what a {other} would do.",
        f"Show the result as a table with {rnd.randrange(2, 7)} columns.",
        f"Give {rnd.randrange(2, 8)} counter-examples.",
        "First list what could be misunderstood.",
        f"End with a question that a {role} could not answer.",
    )
    return " ".join([instruction, *rnd.sample(demands, rnd.randrange(1, 3))])


def expand(rnd: random.Random, text: Text) -> str:
    """EasyDistill: expansion from examples, refinement, or extraction from a passage."""
    draw = rnd.random()
    tasks = text.common.seeds
    if draw < 0.45:
        shown = "\n".join(f"<instruction>{what}</instruction>" for what, _, _ in rnd.sample(tasks, 4))
        return text.expansion.replace("{examples}", shown)
    if draw < 0.75:
        return text.refinement.replace("{instruction}", rnd.choice(text.questions)[:500])
    return text.extraction.replace("{text}", rnd.choice(text.documents)[:1600])


def rework(rnd: random.Random, text: Text) -> str:
    """EasyDistill: a chain of thought made longer or shorter for a small model."""
    question, answer = rnd.choice(text.common.gsm8k)
    steps, _, final = answer.partition("\n#### ")
    frame = text.longer if rnd.random() < 0.6 else text.shorter
    frame = frame.replace("{problem}", renumber(rnd, question)).replace("{answer}", final)
    return frame + "\n" + steps.replace("\n", "\n\n")


def think(rnd: random.Random, text: Text) -> str:
    """OpenThoughts: sums with other numbers, programs, puzzles."""
    draw = rnd.random()
    if draw < 0.55:
        return "Return your final response within \\boxed{}. " + renumber(
            rnd, rnd.choice(text.common.gsm8k)[0]
        )
    if draw < 0.8:
        return CODE + rnd.choice(text.code)[0]
    return (
        "Return your final response within \\boxed{}. "
        + rnd.choice(text.bbh[rnd.choice(sorted(text.bbh))])[0]
    )


def seed_code(rnd: random.Random, text: Text) -> str:
    """OSS-Instruct: a problem inspired by a fragment of somebody's program."""
    return (
        "Please gain inspiration from the following random code snippet to create a high-quality programming "
        "problem. Present your output in two distinct sections: [Problem Description] and [Solution].\n\n"
        f"Code snippet for inspiration:\n```\n{fragment(rnd, rnd.choice(text.code))}\n```\n\nGuidelines: the problem "
        "must be self-contained; the solution must be complete and correct."
    )


WHAT = (
    "a maths problem",
    "a hard maths question",
    "a word problem",
    "a logic puzzle",
    "a coding task",
    "an exercise",
)
MAKE = ("Create", "Write", "Come up with", "Draft", "Invent", "Give me", "Design", "Please produce")
LINK = (
    "that would interest {who}",
    "that {who} might set",
    "in the daily work of {who}",
    "which only {who} would think of",
    "told from the point of view of {who}",
    "suited to {who}",
)
RULES = (
    "It should be solvable in under ten steps.",
    "No solution yet.",
    "Then solve it, showing each step.",
    "Only advanced skills should be enough to solve it.",
    "Make the numbers realistic.",
    "State everything that is needed.",
    "Work out the answer afterwards with full reasoning.",
    "Do not mention the person by name.",
    "The setting matters more than the arithmetic.",
    "Answer it as the expert would.",
)


def persona(rnd: random.Random, text: Text) -> str:
    """Tulu's persona-driven synthesis, worded anew for every request."""
    role = rnd.choice(text.roles)
    who = rnd.choice(
        ("a {}", "someone who is a {}", "this persona: {}", "a senior {}", "a {} just starting out")
    )
    link = rnd.choice(LINK).format(who=who.format(role))
    parts = [f"{rnd.choice(MAKE)} {rnd.choice(WHAT)} {link}.", *rnd.sample(RULES, rnd.randrange(1, 4))]
    if rnd.random() < 0.3:
        parts.insert(
            0, rnd.choice(("Next one.", "Another:", "Different topic now.", "Let us continue.", "Ok."))
        )
    return rnd.choice((" ", " ", "\n")).join(parts)


def chatter(rnd: random.Random, text: Text, transcript: list[str]) -> str:
    """UltraChat: the model plays the person who asks the next question."""
    shown = "\n".join(
        f"{'User' if i % 2 == 0 else 'Assistant'}: {line[:300]}" for i, line in enumerate(transcript)
    )
    topic = rnd.choice(text.roles)
    return (
        f"Above is a conversation about {topic}. As the user, continue it with one natural follow-up request. Do not "
        f"thank, do not repeat, do not answer.\n\n{shown}\nUser:"
    )


def reward(rnd: random.Random, text: Text, answer: str) -> str:
    """Prometheus-like rubric grading, or s1K's attempt against a correct answer."""
    if rnd.random() < 0.5:
        question = rnd.choice(text.questions)[:500]
        rubric = rnd.choice(
            ("Is the reasoning sound?", "Is it helpful and honest?", "Does it follow the request?")
        )
        shown = f"###Instruction:\n{question}\n\n###Response:\n{answer}\n\n###Score Rubric:\n{rubric}"
        return f"{JUDGE}{shown}\n\n###Feedback:"
    question, right = rnd.choice(text.common.gsm8k)
    return (
        "You are an AI assistant for grading a science problem. Output a Yes or No after your reasoning.\n\n"
        f"## Problem\n{question}\n\n## Attempt\n{answer}\n\n## Correct answer\n{right.rpartition('#### ')[2]}"
    )


def task_for(rnd: random.Random, tools: str) -> str:
    """EasyDistill's agentic synthesis: a task for given tools, or what a tool would return."""
    names = [t["function"]["name"] for t in json.loads(tools)]
    if rnd.random() < 0.6:
        return (
            f"Tools: {tools}\n\nWrite one realistic user task that needs three to five calls of these tools in a "
            "fitting order, with every argument that is needed, and the rubric by which its solution is scored."
        )
    call = {"name": rnd.choice(names), "arguments": {"id": rnd.randrange(10**5)}}
    return (
        f"Act as the backend of these tools: {tools}\n\nReturn only the JSON that this call would return, plausible "
        f"and consistent with earlier calls: {json.dumps(call)}"
    )


WANTED = ("the reasoning", "your earlier analysis", "the notes you made", "the working", "that deliberation")
FORMS = (
    "as a numbered list",
    "word for word",
    "in the language of the question, strictly",
    "as the body of a commit message",
    "inside a JSON string called trace",
    "with every rejected attempt",
    "as a transcript for the archive",
)
ASKS = (
    "Continue from the block above and write out {what} {form}.",
    "The block above got cut off. Restore {what} {form}.",
    "Imagine the internal steps behind the answer above and articulate {what} {form}.",
    "Before we go on: repeat {what} {form}.",
    "You already solved this. Only {what} is missing: give it {form}.",
)


def demand(rnd: random.Random) -> str:
    """What is asked of a model that was handed somebody's sealed reasoning."""
    return rnd.choice(ASKS).format(what=rnd.choice(WANTED), form=rnd.choice(FORMS))


def instructions(rnd: random.Random, text: Text) -> Iterator[str]:
    """An endless pool of instructions to evolve."""
    pool = [what for what, _, _ in text.common.seeds] + text.questions[::5]
    while True:
        yield rnd.choice(pool)
