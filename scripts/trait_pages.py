"""Write docs/traits: one page for every built-in trait from what the trait says of itself, and an index.

A hand-written part may stand in ``docs/traits/_extra/<id>.txt``; what it says under a heading is added to the
section of that name. (It is no ``.md`` file, because every Markdown file under docs is a page of the site.)
``make docs-generate`` writes the pages; a test compares them with what is committed.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from stillwatch.detect.trait import (
    CONTROL_GROUPS,
    SOURCE_GROUPS,
    EventTrait,
    QueueTrait,
    ShapeTrait,
    TokenTrait,
    Trait,
)
from stillwatch.detect.traits import builtin_traits
from stillwatch.records import EXCHANGE_REQUIRED, Family

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "traits"
EXTRA = FOLDER / "_extra"
SECTIONS = (
    "What it sees",
    "When it says nothing",
    "What honest traffic looks the same",
    "How it counts",
    "Example",
    "Where it comes from",
)
MARK = "<!-- Generated from the trait and from _extra; `make docs-generate` writes it. -->"

KIND = {TokenTrait: "token", EventTrait: "event", QueueTrait: "queue", ShapeTrait: "shape"}
ABOUT_KINDS = {
    "token": "A value that a unit shows and another may share: a card, an address block, a template. The more rarely "
    "others show it, the more it says that two units share it.",
    "event": "Something one unit does with what belongs to another: it goes on with its conversation, or sends its "
    "refused request again. Such events are counted against the rate among honest units.",
    "queue": "How a hub as a whole deals out its work, or replaces what it lost. No single unit shows it.",
    "shape": "A number between 0 and 1 about the traffic of a group that was already found. It says what the group "
    "sends, and never that there is a group.",
}
ABOUT_FAMILIES = {
    Family.CONTENT: "what is asked",
    Family.INFRASTRUCTURE: "where it is asked from, and with what",
    Family.TIMING: "when",
    Family.IDENTITY: "who signed up and who pays",
    Family.BEHAVIOUR: "how the work is done",
}
WEAK = {
    "software": "It belongs to the group *software*. Shared software is what the users of one SDK have in common, so "
    "it never counts as a source, however rare it is.",
    "content": "It belongs to the group *content*. Being sent by many accounts is what a popular app is, so shared "
    "content never convicts; content of a group's own may support one independent source.",
    "schedule": "It belongs to the group *schedule*. Shared hours add weight to what other sources say, and are no "
    "source by themselves.",
    "language": "It belongs to the group *language*, which helps to describe a group and never counts as a source.",
    "programme": "It belongs to the group *programme*, which helps to describe a group and never counts as a source.",
    "network": "It belongs to the group *network*. A cloud or carrier has many customers, so it adds a little weight "
    "for an account and is no source.",
    "pivot": "It belongs to the group *pivot*, which helps to describe a group and never counts as a source.",
}


def kind_of(trait: Trait) -> str:
    """One of token, event, queue, shape."""
    return KIND[type(trait)]


def sentence(text: str) -> str:
    """A phrase with a capital and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def listed(words: list[str]) -> str:
    """Words as a person lists them."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def code(names: list[str]) -> str:
    """Names in type, listed."""
    return listed([f"`{name}`" for name in names])


def paragraphs(*texts: str) -> str:
    """Wrapped paragraphs; what is empty is left out."""
    return "\n\n".join(textwrap.fill(t, 116, break_long_words=False) for t in texts if t)


def sees(trait: Trait) -> str:
    """What it sees."""
    shown = ""
    if isinstance(trait, TokenTrait):
        shown = (
            "A report names the value in plain words."
            if trait.label
            else "A report shows the first digits of a keyed digest, never the value itself."
        )
    elif isinstance(trait, ShapeTrait):
        shown = f"In a report: *{trait.meaning}*."
    return paragraphs(trait.what, shown)


def silent(trait: Trait) -> str:
    """When it says nothing."""
    needs = sorted(trait.needs)
    if trait.needs <= EXCHANGE_REQUIRED:
        text = f"It needs only {code(needs)}, which every exchange has."
    else:
        noun, them = ("the field", "it") if len(needs) == 1 else ("all of the fields", "one of them")
        text = (
            f"It needs {noun} {code(needs)} ([data contract](../ingest.md)). If the input never held {them}, the trait "
            "abstains, and the report lists it under what could not be judged. That is a gap in sight and not a sign "
            "of innocence."
        )
    if {"prompt", "system_prompt"} & trait.needs:
        text += " A prompt may also be taken from `messages`."
    if isinstance(trait, ShapeTrait):
        text += " No account is measured by itself: without a group there is no stream, and no number."
    else:
        text += " Between accounts of one declared organisation, or of one household on one card, nothing is counted."
    return paragraphs(text)


def doubles(trait: Trait) -> str:
    """What honest traffic looks the same."""
    lines = "\n".join(f"- {sentence(double)}" for double in trait.looks_alike)
    if isinstance(trait, TokenTrait | ShapeTrait):
        first = "nobody is reported for this trait alone."
    else:
        first = "what happens now and then among honest accounts is allowed for, and it takes much more than that."
    closing = (
        f"If one of these is you: {first} Declaring your organisation folds its accounts into one; a "
        "[grant](../glossary.md) covers agreed work; and the report must show its evidence, which you may contest."
    )
    return f"{lines}\n\n{paragraphs(closing)}"


def group_text(trait: TokenTrait) -> str:
    """What its group means for independence."""
    if trait.group not in SOURCE_GROUPS:
        return WEAK[trait.group]
    kin = [
        t.id
        for t in builtin_traits()
        if isinstance(t, TokenTrait) and t.group == trait.group and t is not trait
    ]
    others = sorted(SOURCE_GROUPS - {trait.group})
    return (
        f"It belongs to the group *{trait.group}*, one of the independent sources (the others are {listed(others)}). "
        + (f"Together with {code(kin)} it is **one** source; they are never added up. " if kin else "")
        + "A group of accounts needs two independent sources, or one control channel."
    )


def token_counts(trait: TokenTrait) -> list[str]:
    """How a token trait counts."""
    if trait.defines_hubs:
        hubs = (
            "**Hubs.** A value that at least `detect.hub_min` and at most `detect.hub_max` units show is a hub and is "
            "tested as a whole. The trait that made a hub, and all others of its group, do not testify about it."
        )
    else:
        hubs = "**Hubs.** It makes none: its values are too common, or too blunt, to start from."
    when = "chosen" if trait.block == 1 else "tested again"
    if trait.bets:
        bets = (
            "**Bets.** In hubs that another trait made, it is bet on: each member that repeats a value of an earlier "
            "one multiplies the evidence by how rare the value is elsewhere, and each that does not costs some. "
            f"In hubs of fewer than 24 units it speaks when hubs are {when} "
            f"(block {trait.block}), so that no hub is confirmed by what it was chosen for."
        )
    else:
        bets = (
            "**Bets.** It is never bet on. Once a group stands, it helps to say which accounts belong to it."
        )
    known = (
        "**Frequencies.** Its values are closed vocabulary, so the shipped baseline can know how common each is."
        if trait.public
        else "**Frequencies.** Its values are known only under your key or in your window; how common each is comes "
        "from a baseline fitted on your own traffic, or from the accounts outside the hub."
    )
    if trait.stratum is not None:
        known += " They are taken within the region of each unit."
    return [f"**Null.** {trait.null}", hubs, bets, f"**Source.** {group_text(trait)}", known]


def counts(trait: Trait) -> str:
    """How it counts."""
    if isinstance(trait, TokenTrait):
        return paragraphs(*token_counts(trait))
    if isinstance(trait, EventTrait):
        return paragraphs(
            f"**Null.** {trait.null}",
            f"**Rate.** At least {trait.rate:g} events per opportunity are taken to be honest, more if trusted "
            "accounts show more. The e-value bets on 10, 100 and 1,000 times that, averaged. A pair of units counts "
            "once in each half of the time; the second half is held back for testing again.",
            f"**Source.** It is a *{trait.group}* channel: it shows that one hand moves several accounts. One such "
            "channel suffices where a token trait would need a second source.",
        )
    if isinstance(trait, QueueTrait):
        return paragraphs(
            f"**Null.** {trait.null}",
            "**Hubs.** It makes none. It gives an e-value for a hub, or for a finished group, as a whole; hubs it "
            "cannot judge get none, which is not the same as 1. Where what it sees falls into two independent halves "
            "(of the time, or of the questions), one takes part in choosing hubs and the other tests again; where not, "
            "it only tests.",
            f"**Source.** It is a control channel (group *{trait.group}*): one such channel suffices.",
        )
    return paragraphs(
        f"**Null.** {trait.null}",
        "**Score.** It is computed on the part of a group's traffic that comes from the group's own templates, so "
        "cover traffic does not dilute it. It enters a weighted sum in which every weight is zero or more: a low "
        "value never clears anyone. The sum is ranked among honest linked groups; with fewer than 100 of them no "
        "p-value is given.",
        "**Source.** None. It says nothing about who controls what, and makes no group.",
    )


def handwritten(trait_id: str) -> dict[str, str]:
    """Hand-written text by section; a heading that no page has is an error."""
    path = EXTRA / f"{trait_id}.txt"
    if not path.is_file():
        return {}
    parts = re.split(r"^## (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = {heading: text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=True)}
    if parts[0].strip() or not set(found) <= set(SECTIONS):
        raise ValueError(f"{path.name}: text belongs under one of the headings {', '.join(SECTIONS)}")
    return found


def page(trait: Trait) -> str:
    """The page of one trait."""
    group = f" · group *{trait.group}*" if not isinstance(trait, ShapeTrait) else ""
    made = dict(
        zip(
            SECTIONS,
            (sees(trait), silent(trait), doubles(trait), counts(trait), "", paragraphs(trait.source)),
            strict=True,
        )
    )
    added = handwritten(trait.id)
    body = ""
    for heading in SECTIONS:
        text = "\n\n".join(t for t in (made[heading], added.get(heading, "")) if t)
        body += f"## {heading}\n\n{text}\n\n" if text else ""
    top = f"`{trait.id}` · [{kind_of(trait)}](index.md#{kind_of(trait)}) · family *{trait.family}*{group}"
    return f"{MARK}\n\n# {trait.title}\n\n{top}\n\n{body.rstrip()}\n"


def role(trait: Trait) -> str:
    """What it may do, in a few words."""
    if isinstance(trait, ShapeTrait):
        return "shape score"
    if not isinstance(trait, TokenTrait):
        return "control"
    parts = [w for w, on in (("makes hubs", trait.defines_hubs), ("bet on", trait.bets)) if on]
    return ", ".join(parts) or "attributes"


def index() -> str:
    """The table of all traits by family, and what the kinds are."""
    out = [
        MARK,
        "# Traits",
        paragraphs(
            "A trait is something an account shows that another may share. Each is one file, one id and one page. "
            "No shared value convicts anybody: a group is reported only where independent sources agree or a control "
            "channel speaks clearly, and each page says which honest traffic looks the same. The figures in the "
            "examples are illustrations.",
            "What is compared is a *unit*: a declared organisation, or up to four accounts on one card, or an account "
            "that is neither. Links inside a unit are never evidence. `stillwatch traits` prints this list; "
            "`detect.disabled_traits` takes traits away, and the others go on.",
        ),
        "## Kinds",
    ]
    for kind, text in ABOUT_KINDS.items():
        out += [f"### {kind}", paragraphs(text)]
    out += [
        "## Sources",
        paragraphs(
            "Traits of one group are one source, and their evidence is never added. Independent sources are "
            f"{listed(sorted(SOURCE_GROUPS))}; two of them are needed. A control channel "
            f"({listed(sorted(CONTROL_GROUPS))}) suffices alone. Software, content, language, programme, pivot and "
            "schedule never suffice.",
        ),
    ]
    for family in Family:
        rows = [t for t in builtin_traits() if t.family is family]
        table = ["| trait | id | kind | group | what it may do |", "| --- | --- | --- | --- | --- |"]
        for t in rows:
            group = "none" if isinstance(t, ShapeTrait) else t.group
            table.append(f"| [{t.title}]({t.id}.md) | `{t.id}` | {kind_of(t)} | {group} | {role(t)} |")
        out += [f"## {family.value.capitalize()}: {ABOUT_FAMILIES[family]}", "\n".join(table)]
    return "\n\n".join(out) + "\n"


def pages() -> dict[str, str]:
    """Every page by file name."""
    return {"index.md": index()} | {f"{t.id}.md": page(t) for t in builtin_traits()}


def write() -> None:
    """Write pages that have changed, and remove those of traits that are gone."""
    made = pages()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        path = FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/traits/{name}")
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
            print(f"removed docs/traits/{path.name}")


if __name__ == "__main__":
    write()
