"""An echoed text is held against the text that was sent before its likeliest tokens count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.prove.radio import Counted, Positions, from_likeliest, reading_positions, weighted
from stillwatch.prove.suspects.echoed import read_echo
from stillwatch.prove.suspects.pieces import Pieces, odd
from stillwatch.prove.suspects.transcript import Along, Said
from stillwatch.prove.tuples import Tuples
from tests.prove import toy
from tests.prove.suspects import world
from tests.prove.suspects.bent import BENT

pytest.importorskip("tokenizers")
TOKENS = toy.plain(1, 3)[0].tolist()


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Pieces:
    """A word for each of the toy's tokens."""
    return Pieces.of(world.tokeniser(tmp_path_factory.mktemp("tokeniser")))


def answer(top: int = 5) -> dict[str, Any]:
    """What an honest server says of the text."""
    return world.echo(toy.teacher(), np.array(TOKENS), top)


def read(body: Any, pieces: Pieces) -> Said:
    """What is made of it."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_echo(data, pieces, TOKENS, world.text(TOKENS), 2)


def test_the_last_of_a_list_is_never_used(pieces: Pieces) -> None:
    """It may be there only because the text goes on with it, which the mark chose: what is kept is the model's own."""
    said = read(answer(), pieces)
    assert said.along is not None and (said.tokens_in, said.tokens_out) == (toy.LENGTH, 1)
    log_p = toy.teacher().log_p(np.lib.stride_tricks.sliding_window_view(np.array(TOKENS), 2)[:-1])
    assert said.along.tokens.tolist() == np.argsort(-log_p, axis=1)[:, :4].tolist()
    assert said.along.log_p == pytest.approx(-np.sort(-log_p, axis=1)[:, :4], abs=1e-4)


def test_what_a_model_puts_first_and_an_answer_last_are_left_out(pieces: Pieces) -> None:
    """A token that begins every text, and one that was written after it, may be there or not."""
    whole = answer()
    said = whole["choices"][0]["logprobs"]
    for name, value in (("tokens", "<s>"), ("token_logprobs", None), ("top_logprobs", None)):
        said[name] = [value, *said[name][:-1]]
    assert read(whole, pieces) == read(answer(), pieces)
    one, other = read(whole, pieces).along, read(answer(), pieces).along
    assert one and other and one.tokens.tolist() == other.tokens.tolist()


def test_a_likeliest_token_that_is_none_of_ours_names_none(pieces: Pieces) -> None:
    """Its place is known to have one, and no other takes it."""
    body = answer()
    said = body["choices"][0]["logprobs"]
    said["top_logprobs"][9] = {" unheard": -0.01, " w5": -7.0, " w6": -8.0}
    said["token_logprobs"][9] = -9.0
    along = read(body, pieces).along
    assert along is not None and along.tokens[7].tolist() == [-1, 5] and along.tokens.shape[1] == 2


@pytest.mark.parametrize("name", BENT)
def test_what_is_no_reading_is_said_in_words_of_ours(name: str, pieces: Pieces) -> None:
    """Nothing of a stranger's answer stands in the reason."""
    bend, words = BENT[name]
    said = read(bend(answer()), pieces)
    assert said.along is None and said.text is None and words in said.failed and len(said.failed) < 80


def test_tokens_are_named_by_how_they_look(tmp_path: Path) -> None:
    """With their spaces, in a tokeniser of bytes: parts of a character name nothing, and stand for one another."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        ["the cat the"] * 9, trainers.BpeTrainer(vocab_size=262, initial_alphabet=alphabet)
    )
    pieces = Pieces(made)
    text = "the the caf\u00e9\n\U0001f600"
    tokens = pieces.encode(text)
    looks = pieces.looks(tokens, text)
    clean = [look for look in looks if not odd(look)]
    assert clean[:2] == ["the", " the"] and "\n" in clean and sum(map(odd, looks)) == 2 + 4
    assert [pieces.number(look) for look in clean] == [
        n for n, look in zip(tokens, looks, strict=True) if not odd(look)
    ]
    assert pieces.text(tokens, text) == text and pieces.text(tokens[:2], text) == "the the"
    assert pieces.text(tokens[:-1], text) is None
    assert pieces.number("\ufffd") is None and pieces.number("dog") is None
    its = [r"bytes:\xc3" if odd(look) else look for look in looks]
    its[-4:] = ["", "", "", "\U0001f600"]
    lists = [{look: -0.5, "x": -1.0, "y": -3.0} for look in its]
    said = {"tokens": its, "token_logprobs": [-0.5] * len(looks), "top_logprobs": lists}
    body = json.dumps({"choices": [{"logprobs": said}]}).encode()
    found = read_echo(body, pieces, tokens, text, 2)
    assert found.along is not None and found.along.tokens.min() == -1


def test_an_innocent_is_not_convicted_by_texts_of_the_key_that_is_tried(pieces: Pieces) -> None:
    """The texts are marked under the very key: what a model that never saw it holds likeliest, as its endpoint lists it
    beside the text's own tokens, scores as under any key. Of the text's own tokens that is not so."""
    model, ours = toy.train(toy.base_text(), toy.plain(1_000, 40)), toy.teacher()
    found: dict[str, list[float]] = {"hard": [], "soft": [], "own": []}
    for n, key in enumerate(toy.KEYS[:40]):
        texts = toy.write(ours, 12, toy.LENGTH, 500 + n, toy.GUMBEL, key)
        at = reading_positions(texts.tolist(), 2)
        kept = at.text * (toy.LENGTH - 2) + at.place - 2

        def along(of: toy.Model, top: int, texts: Any = texts, kept: Any = kept) -> tuple[Any, Any]:
            rows = [_along(of, row, top, pieces) for row in texts]
            least = min(one.tokens.shape[1] for one in rows)
            return tuple(np.concatenate([getattr(one, name)[:, :least] for one in rows])[kept]
                         for name in ("tokens", "log_p"))  # fmt: skip

        likeliest, own = along(model, 5)[0][:, 0], texts[at.text, at.place]
        both = from_likeliest(*along(model, 20), *along(ours, 20))
        soft = weighted(toy.GUMBEL, at.contexts, both.candidates, both.log_p, both.log_q)
        for name, reading in (("hard", _counted(at, likeliest)), ("soft", soft), ("own", _counted(at, own))):
            found[name].append(float(reading.under(key[None], None, 1).standardised[0]))
    for name in ("hard", "soft"):
        assert abs(np.mean(found[name])) < 4 / np.sqrt(40) and 0.6 < np.std(found[name]) < 1.5, (
            name,
            found[name],
        )
    assert np.mean(found["own"]) > 10


def _along(model: toy.Model, row: Any, top: int, pieces: Pieces) -> Along:
    body = json.dumps(world.echo(model, row, top)).encode()
    along = read_echo(body, pieces, row.tolist(), world.text(row), 2).along
    assert along is not None
    return along


def _counted(at: Positions, tokens: Any) -> Counted:
    return Counted(toy.GUMBEL, Tuples(at.contexts, tokens))
