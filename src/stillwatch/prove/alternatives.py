"""What else explains the same observation: printed with every claim, whatever its verdict."""

from __future__ import annotations

KEYED = (
    "Our marked text was public, and the model learnt it from the web or from a data set on sale.",
    "A third party collected our outputs and trained, or sold, or gave away the data; the maker did not know.",
    "The key was stolen: somebody trained on text forged with it, to frame the maker.",
    "The suspect is itself built on a base model that learnt our outputs.",
)
"""For tests whose null is our own coin: exposure to keyed text is shown, never who trained or meant to."""

COMPARATIVE = (
    "Suspect and our model share a base model, public training data, or another teacher.",
    "The control models are unlike the suspect in kind, size or date.",
    "The suspect learnt from public text about our model.",
)

STYLISTIC = (
    "The style comes from public text written by our model, or by people who write like it.",
    "A system prompt asks for this manner of writing.",
    "Suspect and our model learnt from the same annotators, guidelines or data.",
)

MARK_ASSUMPTIONS = (
    "The mark's keyed function gives independent values on distinct inputs; random keys on the same material check it.",
    "The key was drawn at random, committed before first use, and known to nobody who trained the suspect.",
    "What was scored was chosen without the key: contexts may be ours, the tokens judged are the suspect's own.",
)

SIBLING_ASSUMPTIONS = (
    "Served reply and siblings come from one model, prompt and setting, with independent seeds.",
    "The siblings were never released.",
    "Prompts are distinct; replies that are equal count as ties, broken by a committed coin.",
)
