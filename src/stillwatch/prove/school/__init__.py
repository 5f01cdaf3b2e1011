"""A school small enough to try a test on: teachers that write marked text, students that are really trained on it.

Vocabulary 128, answers of 48 tokens, no torch. Sizes of effects are the school's own and say nothing of large models;
that a student trained on other text stays innocent is the same question at every size.
"""

from stillwatch.prove.school.counts import CountingStudent
from stillwatch.prove.school.exam import (
    Exam,
    effect_of,
    let_write,
    nll,
    probe,
    rank_siblings,
    read_likeliest,
    read_weights,
)
from stillwatch.prove.school.neural import NeuralStudent
from stillwatch.prove.school.teacher import (
    CONTEXT,
    LENGTH,
    VOCABULARY,
    Model,
    Teacher,
    lessons_of,
    windows_before,
    write,
)

__all__ = [
    "CONTEXT",
    "LENGTH",
    "VOCABULARY",
    "CountingStudent",
    "Exam",
    "Model",
    "NeuralStudent",
    "Teacher",
    "effect_of",
    "lessons_of",
    "let_write",
    "nll",
    "probe",
    "rank_siblings",
    "read_likeliest",
    "read_weights",
    "windows_before",
    "write",
]
