"""The pages of the traits say what the code says, and what a person added to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import trait_pages
from stillwatch.detect.trait import SOURCE_GROUPS, ShapeTrait, TokenTrait, Trait
from stillwatch.detect.traits import builtin_traits

MADE = trait_pages.pages()
FOLDER = trait_pages.FOLDER


@pytest.mark.parametrize("name", sorted(MADE))
def test_committed_pages_are_up_to_date(name: str) -> None:
    """What is committed is what the traits say; `make docs-generate` mends it."""
    assert (FOLDER / name).read_text(encoding="utf-8") == MADE[name]


def test_no_page_is_left_over() -> None:
    """Every page has its trait, and every hand-written part too."""
    assert {p.name for p in FOLDER.glob("*.md")} == set(MADE)
    assert {p.stem for p in trait_pages.EXTRA.iterdir()} <= {t.id for t in builtin_traits()}


@pytest.mark.parametrize("trait", builtin_traits(), ids=lambda t: t.id)
def test_a_page_answers_what_a_reader_asks(trait: Trait) -> None:
    """All sections, a worked example, every field it needs and every honest double."""
    text = MADE[f"{trait.id}.md"]
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == list(trait_pages.SECTIONS)
    flat = " ".join(text.split())
    assert all(f"`{field}`" in flat for field in trait.needs)
    assert all(trait_pages.sentence(double) in flat for double in trait.looks_alike)
    assert trait.what in flat and trait.null in flat and trait.source in flat


@pytest.mark.parametrize(
    "trait", [t for t in builtin_traits() if isinstance(t, TokenTrait)], ids=lambda t: t.id
)
def test_a_page_does_not_promise_what_the_trait_may_not(trait: TokenTrait) -> None:
    """Hubs, bets and independence on the page are those of the code; the trait's own words agree."""
    flat = " ".join(MADE[f"{trait.id}.md"].split())
    assert ("units show is a hub" in flat) is trait.defines_hubs
    assert ("it is bet on" in flat) is trait.bets
    assert ("one of the independent sources" in flat) is (trait.group in SOURCE_GROUPS)
    assert not ("names hubs" in trait.null and not trait.defines_hubs)


def test_the_index_lists_every_trait_once() -> None:
    """A table row for each, and a heading for each kind."""
    text = MADE["index.md"]
    assert all(text.count(f"| `{t.id}` |") == 1 for t in builtin_traits())
    assert all(f"### {kind}\n" in text for kind in ("token", "event", "queue", "shape"))
    assert text.count("| shape score |") == sum(isinstance(t, ShapeTrait) for t in builtin_traits())


def test_text_outside_a_known_section_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand-written part that would be lost is an error, not a silence."""
    monkeypatch.setattr(trait_pages, "EXTRA", tmp_path)
    (tmp_path / "payment.txt").write_text("## Exemple\n\nlost\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"payment\.txt"):
        trait_pages.handwritten("payment")
