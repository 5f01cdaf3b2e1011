"""A plan: complete, strict, and another one as soon as anything in it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.suspects.plan import read_plan
from tests.prove.suspects import world

pytest.importorskip("tokenizers")
URL = "http://127.0.0.1:1/v1"


def test_anything_that_changes_makes_another_plan(tmp_path: Path) -> None:
    """Words of the plan, prompts, tokeniser, and the keys that will be tried."""
    path = world.plan(tmp_path, URL)
    first = read_plan(path).digest(["a", "b"])
    assert read_plan(path).digest(["b", "a"]) == first != read_plan(path).digest(["a"])
    for name, old, new in (("plan.toml", "seed = 9", "seed = 8"), ("prompts.jsonl", "w", "w1"),
                           ("tokenizer.json", "w1", "v1")):  # fmt: skip
        text = (tmp_path / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace(old, new), encoding="utf-8")
        assert read_plan(path).digest(["a", "b"]) != first
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_plan(path).digest(["a", "b"]) == first


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [("seed = 9", "", "seed is missing"), ("seed = 9", "seed = 9\nodd = 1", "'odd' is not known"),
     ("seed = 9", 'seed = "9"', "seed is no whole number"), ("[mark]", "[marks]", "'marks' is not known"),
     ('test = "closed"', 'test = "open"', "test 'open'"), ("width = 2", "width = 0", "below 1"),
     ("[[control]]", "[[controls]]", "not known"), ("http://", "ftp://", "no address"),
     ("http://", "http://me:secret@", "no address"),
     ("http://", "http://:secret@", "no address"), ("127.0.0.1:1/", "127.0.0.1:99999/", "no address"),
     ("127.0.0.1:1/", "[::1/", "no address"), ("seed = 9", "seed = -9", "out of range"),
     ('name = "control-1"', 'name = "control-0"', "two models of one name"),
     ('model = "control-1"', 'model = "control-0"', "one and the same model"),
     ('/v1"\nmodel = "control-1"', '/v1/"\nmodel = "suspect"', "one and the same model"),
     ('url = "http://127.0.0.1:1/', 'key_env = "K"\nurl = "http://suspect.example/', "key in the clear"),
     ('api = "completions"', 'api = "shell"', "api 'shell'"), ("max_tokens = 64", "max_tokens = 0", "out of range"),
     ("seed = 9", "seed = ", "not TOML"), ('"prompts.jsonl"', '"none.jsonl"', "holds no prompts"),
     ('"tokenizer.json"', '"none.json"', "could not be read")],
)  # fmt: skip
def test_a_wrong_plan_says_where(tmp_path: Path, old: str, new: str, says: str) -> None:
    """Section and field, and what to write."""
    path = world.plan(tmp_path, URL)
    path.write_text(path.read_text("utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=says) as caught:
        read_plan(path)
    assert caught.value.hint


def test_two_controls_are_too_few_and_a_chat_answers_no_probes(tmp_path: Path) -> None:
    """Both before anything is asked."""
    path = world.plan(tmp_path, URL)
    text = path.read_text("utf-8")
    path.write_text(text[: text.rindex("[[control]]")], encoding="utf-8")
    with pytest.raises(ConfigError, match="fewer than 3"):
        read_plan(path)
    with pytest.raises(ConfigError, match=r"probes. needs the token"):
        read_plan(world.plan(tmp_path, URL, test="probes", api="chat"))


@pytest.mark.parametrize("line", ["{", "3", '{"prompt": ""}', '{"prompt": 4}', '{"text": "a"}'])
def test_prompts_of_another_form_are_refused(tmp_path: Path, line: str) -> None:
    """With the line."""
    path = world.plan(tmp_path, URL)
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "w1 w2"}\n' + line, encoding="utf-8")
    with pytest.raises(ConfigError, match="prompt"):
        read_plan(path)


def test_the_same_prompt_twice_says_nothing_new(tmp_path: Path) -> None:
    """And would be counted twice."""
    path = world.plan(tmp_path, URL)
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "w1"}\n' * 2, encoding="utf-8")
    with pytest.raises(ConfigError, match="the same twice"):
        read_plan(path)


OURS = '[reference]\nname = "ours"\nurl = "http://127.0.0.1:1/v1"\nmodel = "ours"\napi = "completions"\n'


@pytest.mark.parametrize(
    ("test", "more", "old", "new", "says"),
    [("hard", "", "completions", "prefill", "'hard' needs likelihoods along texts"),
     ("hard", OURS, "", "", "'hard' takes no .reference."), ("closed", OURS, "", "", "'closed' takes no .reference."),
     ("hard", "", "completions", "chat", "'hard' needs the token after a prefix"),
     ("soft", "", "", "", "'soft' holds a suspect against a reference"),
     ("soft", OURS, "completions", "prefill", "'soft' needs likelihoods along texts"),
     ("soft", "[reference]\n", "", "", "name is missing")],
)  # fmt: skip
def test_readings_need_likelihoods_and_soft_ones_a_reference(
    tmp_path: Path, test: str, more: str, old: str, new: str, says: str
) -> None:
    """Each is said before anything is loaded."""
    path = world.plan(tmp_path, URL, test=test)
    path.write_text((path.read_text("utf-8") + more).replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=says) as caught:
        read_plan(path)
    assert caught.value.hint
