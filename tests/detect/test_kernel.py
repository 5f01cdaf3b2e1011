"""The text kernel: what keeps a template together, what tells payloads apart, and what a text may cost."""

# ruff: noqa: RUF001 - full-width punctuation is part of the texts tested

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.detect.digest import Key
from stillwatch.detect.kernel import (
    COLUMNS,
    HEAD_BYTES,
    MAX_WORDS,
    TAIL_BYTES,
    TEMPLATE_KEYS,
    chunk_digests,
    text_features,
)
from stillwatch.detect.lexicon import load_lexicon, may_be
from tests.detect.making import KEY

LEXICON = load_lexicon()


def keys_of(*texts: str | None) -> list[dict[str, int]]:
    """Digest columns of each text."""
    got = text_features(pa.array(texts, pa.string()), KEY, LEXICON).digests
    return [dict(zip(COLUMNS, column, strict=True)) for column in got.T.tolist()]


def test_the_sieves_let_every_phrase_and_every_word_of_a_language_through():
    """A hash with a value passes, and so do the words before a phrase ends; most others do not."""
    for keys, values, sieve in (
        (LEXICON.keys, LEXICON.values, LEXICON.steps),
        (LEXICON.language_keys, LEXICON.language_masks, LEXICON.common),
    ):
        held = values != -2
        marks = np.array([may_be(sieve, key) for key in keys[held]])
        assert (marks[values[held] >= 0] & 2 != 0).all() and marks.all()
    passed = sum(may_be(LEXICON.steps, np.uint64(i)) != 0 for i in range(0, 2**18, 16))
    assert passed < 2**14 * 0.1


def shared(a: dict[str, int], b: dict[str, int]) -> set[str]:
    """Columns that both have and that are equal."""
    return {name for name in COLUMNS if a[name] == b[name] != 0}


SLOTS = [
    (
        "numbers",
        "Solve task {} of the set and write only the final answer here.",
        ("17", "4093"),
        {"head", "s1", "tail"},
    ),
    (
        "quoted text",
        'Translate the words "{}" into plain French for our new readers.',
        ("It rains. Why?", "cat"),
        {"head", "s1", "tail"},
    ),
    (
        "curly quotes",
        "Translate the words “{}” into plain French for our new readers.",
        ("so. It is!", "a cat"),
        {"head", "s1", "tail"},
    ),
    (
        "code",
        "Explain to a new colleague what this code does:\n```py\n{}\n```\nKeep it under five short sentences, please.",
        ("x = 1", "def f(a):\n    return a\n\nprint(f(2))"),
        {"head", "s1", "t1"},
    ),
    (
        "a URL",
        "Read the page at https://{} and list the five main points.",
        ("a.example/x?q=1", "b.example/y.html"),
        {"head", "s1", "tail"},
    ),
    (
        "a long payload",
        "Summarise the following report in three sentences for a busy reader.\n\n{}",
        (" ".join(f"alpha{i}" for i in range(900)), "beta gamma delta " * 400),
        {"head", "s1"},
    ),
    (
        "a payload in front",
        "{}\n\nSummarise the report above in three short sentences for a busy reader.",
        (" ".join(f"alpha{i}" for i in range(900)), "beta gamma delta " * 400),
        {"tail", "t1"},
    ),
]


@pytest.mark.parametrize("template, values, wanted", [s[1:] for s in SLOTS], ids=[s[0] for s in SLOTS])
def test_a_template_survives_its_slots(template: str, values: tuple[str, str], wanted: set[str]) -> None:
    """Two prompts from one template share the keys that its fixed part makes, and differ as a whole."""
    a, b = keys_of(*(template.format(v) for v in values))
    assert wanted <= shared(a, b)
    assert a["full"] != b["full"]


def test_templates_that_differ_in_a_word_have_other_keys() -> None:
    """A changed instruction is another template."""
    a, b = keys_of(
        "Please summarise the following report in three sentences.",
        "Please translate the following report in three sentences.",
    )
    assert not shared(a, b) & {"head", "tail", "s1", "full", "longest"}


def test_text_after_a_url_in_a_script_without_spaces_is_read() -> None:
    """A URL ends where ideographs begin: what follows belongs to the template and is not swallowed."""
    a, b = keys_of(
        "请阅读https://a.example/x。然后总结这篇文章的主要内容并列出五个要点",
        "请阅读https://a.example/x。然后翻译这首诗的全部内容并解释其中的意思",
    )
    assert a["tail"] != b["tail"]
    assert a["s2"] != b["s2"] != 0


def test_a_number_makes_another_payload_of_the_same_skeleton() -> None:
    """Payload digests see numbers, template keys do not."""
    a, b = keys_of(
        "A train leaves at 9 and arrives at 12 o'clock.", "A train leaves at 8 and arrives at 12 o'clock."
    )
    assert {"head", "s1", "tail", "b0", "b1", "b2", "b3"} & shared(a, b) >= {"head", "s1", "tail"}
    assert a["longest"] != b["longest"]
    assert a["full"] != b["full"]


def test_number_scripts_are_slots_and_payloads() -> None:
    """Arabic-Indic and full-width numbers are numbers: one skeleton, two payloads."""
    for left, right in (("١٢", "٣"), ("１２", "３"), ("१२", "३")):
        a, b = keys_of(f"count to {left} and then stop at once", f"count to {right} and then stop at once")
        assert {"head", "s1"} <= shared(a, b)
        assert a["longest"] != b["longest"]


def test_spacing_and_case_do_not_change_a_template() -> None:
    """Only the digest of the whole text sees them."""
    a, b = keys_of(
        "Write a short poem about the sea, please.", "  WRITE a short   poem about the sea , please. "
    )
    assert {"head", "s1", "longest", "tail"} <= shared(a, b)
    assert a["full"] != b["full"]


def test_another_key_shares_no_digest() -> None:
    """Two installations cannot be joined."""
    text = pa.array(
        ["Summarise the following report in three sentences for a busy reader. Then stop here now please."]
    )
    a = text_features(text, KEY, LEXICON).digests
    b = text_features(text, Key.derive(b"another key of ours"), LEXICON).digests
    assert not np.intersect1d(a[a != 0], b[b != 0]).size


def test_payload_and_template_digests_are_apart() -> None:
    """One sentence with no slot has unequal digests as a template and as a payload."""
    row = keys_of("Write a short poem about the sea please")[0]
    assert row["longest"] not in {row[name] for name in TEMPLATE_KEYS}


@pytest.mark.parametrize("text", ["", " ", "\n\t \u3000", "…!?", "```", '"', "\x00", "🦆", "\ufe0f"])
def test_a_text_without_words_has_no_template(text: str) -> None:
    """Nothing to name: no key, no cue, no language, and no failure."""
    got = text_features(pa.array([text]), KEY, LEXICON)
    assert got.words.tolist() == [0]
    assert not got.digests[:10].any()
    assert not got.scores.any()
    assert got.language.tolist() == [-1]
    assert (got.digests[10, 0] != 0) == bool(text)


def test_one_word_is_no_template() -> None:
    """A single word or a short greeting has a digest as a whole and nothing that could name a template."""
    for row in keys_of("hello", "good morning", "thanks a lot"):
        assert not any(row[name] for name in TEMPLATE_KEYS)
        assert row["full"] != 0


def test_a_missing_text_has_nothing() -> None:
    """Null is zeros everywhere."""
    assert not any(keys_of(None, "word")[0].values())


def test_a_huge_text_is_read_like_a_page() -> None:
    """Five megabytes count no more than three times the words of three kilobytes; head and tail are what is read."""
    page = "some words in a row " * 150
    huge = "some words in a row " * 250_000
    blob = "A" * 5_000_000
    thick = "中" * 1_700_000
    words = text_features(pa.array([page, huge, blob, thick, "a " * 2_500_000]), KEY, LEXICON).words.tolist()
    assert 0 < words[1] <= 3 * words[0]
    assert words[2] <= 2
    assert max(words) <= (HEAD_BYTES + TAIL_BYTES) // 2 + 2 <= MAX_WORDS
    a, b = keys_of(
        "Begin here " + "x y " * 50_000 + "end there", "Begin here " + "x y " * 50_000 + "z end there"
    )
    assert a["full"] != b["full"]


@pytest.mark.parametrize("cut", range(4))
def test_a_cut_inside_a_character_is_harmless(cut: int) -> None:
    """Wherever the limits fall in a multi-byte character, every part of the batch is read the same."""
    texts = ["é" * cut + "語" * 1200, "a" * cut + "🦆字" * 600, "é" * (1000 + cut) + " Ж" * 900]
    alone = [text_features(pa.array([t]), KEY, LEXICON) for t in texts]
    together = text_features(pa.array(texts), KEY, LEXICON)
    for i, one in enumerate(alone):
        assert np.array_equal(together.digests[:, i], one.digests[:, 0])
        assert together.words[i] == one.words[0]
        assert together.scores[i].tolist() == one.scores[0].tolist()


def test_flags_name_code_links_and_ideographs() -> None:
    """1 code fence, 2 URL, 4 ideographs."""
    texts = [
        "plain",
        "```x```",
        "see http://a.example",
        "漢字",
        "```漢``` ftp://x",
        "🏴\U000e0067\U000e0062\U000e007f flag",
    ]
    assert text_features(pa.array(texts), KEY, LEXICON).flags.tolist() == [0, 1, 2, 4, 7, 0]


def rewritten(rng: np.random.Generator, changed: float) -> tuple[str, str, float]:
    """Two texts of 120 words of which the second has some words replaced, and the Jaccard index of their triples."""
    words = [f"w{i}x" for i in rng.integers(0, 10**6, 120)]
    other = [f"v{i}y" for i in rng.integers(0, 10**6, 120)]
    start = int(rng.integers(0, 120))
    replaced = {(start + j) % 120 for j in range(round(120 * changed))}
    second = [other[j] if j in replaced else w for j, w in enumerate(words)]

    def triples(seq: list[str]) -> set[tuple[str, ...]]:
        return {tuple(seq[j : j + 3]) for j in range(len(seq) - 2)}

    a, b = triples(words), triples(second)
    return " ".join(words), " ".join(second), len(a & b) / len(a | b)


def test_minhash_bands_meet_as_often_as_stated() -> None:
    """With 30 percent of the words replaced, 500 pairs share a band as often as 1 - (1 - J^2)^4 says."""
    rng = np.random.default_rng(7)
    pairs = [rewritten(rng, 0.3) for _ in range(500)]
    first = text_features(pa.array([p[0] for p in pairs]), KEY, LEXICON).digests[6:10]
    second = text_features(pa.array([p[1] for p in pairs]), KEY, LEXICON).digests[6:10]
    seen = float(((first == second) & (first != 0)).any(0).mean())
    stated = float(np.mean([1.0 - (1.0 - p[2] ** 2) ** 4 for p in pairs]))
    assert 0.6 < stated < 0.8
    assert abs(seen - stated) < 0.07


def test_unrelated_texts_share_no_band() -> None:
    """500 pairs of random texts have no band in common, and neither have two bands of one text."""
    rng = np.random.default_rng(8)
    texts = pa.array([rewritten(rng, 0.0)[0] for _ in range(500)])
    bands = text_features(texts, KEY, LEXICON).digests[6:10].ravel()
    assert len(np.unique(bands)) == len(bands)


SENTENCES = {
    "en": [
        "What should you do when the bridge is closed and there is no other way?",
        "Tell me how this engine works and which parts are worn.",
    ],
    "es": [
        "El perro de mi vecino ladra por la noche y no puedo dormir, ¿qué hago para que pare?",
        "Los trenes salen con retraso cuando hay nieve sobre las vías.",
    ],
    "fr": [
        "Le chat dort sur la table pendant que les enfants jouent dans le jardin avec leur oncle.",
        "Quel est le meilleur moyen de réparer une porte qui grince?",
    ],
    "de": [
        "Der Zug ist zu spät und wir warten auf dem Bahnsteig, weil die Weiche nicht schließt.",
        "Wie wird ein Kuchen locker, wenn man keine Eier im Haus hat?",
    ],
    "pt": [
        "O meu cão não dorme em casa quando as crianças estão muito agitadas, mas isso não é grave.",
        "Você já foi ao mercado pela manhã sem os seus amigos?",
    ],
    "it": [
        "Il treno della sera non è mai puntuale, ma questo non è un problema per gli studenti.",
        "Quali sono le ricette più semplici della cucina di tua nonna?",
    ],
    "nl": ["Het is niet de eerste keer dat een boot op deze rivier wordt gezien, maar ik vind het mooi."],
    "pl": ["Nie wiem, czy pociąg już odjechał, ale proszę powiedz mi, jak dojść do dworca."],
    "tr": ["Bu köprü için daha çok para gerekiyor ama bir çözüm nasıl bulunur?"],
    "ru": [
        "Поезд опоздал, и мы не знаем, что делать, если он не придёт к вечеру.",
        "Как починить старый велосипед, чтобы он был как новый?",
    ],
    "uk": ["Я не знаю, що це таке, але якщо він прийде після обіду, то мені треба знати."],
    "ar": ["هذا هو الطريق إلى المدينة، هل يمكن أن نصل قبل الليل؟"],
    "hi": ["यह किताब बहुत अच्छी है और मैं इसे आप के साथ पढ़ना चाहता हूँ।"],
    "vi": ["Tôi không biết con đường này có thể đi được trong mùa mưa hay không, bạn hãy cho tôi biết."],
    "id": ["Saya tidak tahu apa yang terjadi dengan kereta itu, karena jadwal ini tidak ada di stasiun."],
    "sv": ["Jag vet inte hur det är att bo på landet, men jag skulle vilja ha ett hus vid sjön."],
    "zh": ["火车晚点了，我们在站台上等了很久。", "请告诉我怎么修自行车。"],
    "ja": ["電車が遅れたので、駅で長い間待ちました。", "自転車の直し方を教えてください。"],
    "ko": ["기차가 늦어서 우리는 역에서 오래 기다렸습니다.", "자전거를 어떻게 고치나요?"],
}


@pytest.mark.parametrize("language", SENTENCES)
def test_languages_are_told_apart(language: str) -> None:
    """Plain sentences of one's own, one language each; capitals do not confuse."""
    texts = SENTENCES[language] + [s.upper() for s in SENTENCES[language]]
    got = text_features(pa.array(texts), KEY, LEXICON).language
    assert [LEXICON.languages[i] if i >= 0 else "?" for i in got] == [language] * len(texts)


def test_what_is_no_language_is_unknown() -> None:
    """Numbers, code and names of nothing have none."""
    texts = ["12 34 56", "xq zv kk", "def f(x): return x**2", "===", "0xdeadbeef"]
    assert text_features(pa.array(texts), KEY, LEXICON).language.tolist() == [-1] * 5


def test_a_passage_keeps_its_chunks_wherever_it_is_pasted() -> None:
    """Half of a passage's sampled chunks at least survive a preface and a closing; other text shares none."""
    kept = 0.0
    for seed in range(40):
        words = [f"p{seed}w{i}" for i in range(200)]
        answer = " ".join(words)
        pasted = f"Please grade the following answer by the rubric below. {answer} Give one number only."
        other = " ".join(f"q{seed}w{i}" for i in range(200))
        a, b, c = (set(row[row != 0]) for row in chunk_digests(pa.array([answer, pasted, other]), KEY))
        assert a and len(a) <= 8
        assert not a & c
        kept += len(a & b) / len(a)
    assert kept / 40 > 0.5


def test_short_texts_have_no_chunks() -> None:
    """Forty-seven words are a phrase; forty-eight may be a passage."""
    short = " ".join(f"word{i}" for i in range(47))
    assert not chunk_digests(pa.array([short, None, ""]), KEY).any()
