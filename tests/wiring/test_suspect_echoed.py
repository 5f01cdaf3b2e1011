"""Hard and soft readings over a real connection, from an endpoint that echoes log-probabilities: one call a text."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from stillwatch.cli import main
from stillwatch.errors import ConfigError, UpstreamError
from stillwatch.prove.marks import Gumbel, as_keys
from stillwatch.prove.suspects import local
from stillwatch.settings import Settings
from stillwatch.wiring import suspect as work
from stillwatch.wiring import suspect_claim as claimed
from stillwatch.wiring.dye import open_desk
from stillwatch.wiring.progress import Unheard
from tests.prove import toy
from tests.prove.suspects import stub, world
from tests.prove.suspects.bent import BENT, other_tokens

pytest.importorskip("tokenizers")
pytest.importorskip("cryptography")
pytest.importorskip("rfc8785")
TEXTS = 120


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A desk that has issued twelve keys."""
    return world.desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def models(settings: Settings) -> dict[str, Any]:
    """Students, really trained, and our own model."""
    return {**world.students(settings), "ours": toy.teacher()}


@pytest.fixture(scope="module")
def texts(settings: Settings) -> list[str]:
    """New texts of ours, under the campaign's key."""
    key = next(d for d in open_desk(settings)[0].issued() if d.issue.subject.campaign_id == world.GUILTY).key
    rows = toy.write(toy.teacher(), TEXTS, toy.LENGTH, 71, Gumbel(width=world.WIDTH), as_keys([key])[0])
    return [world.text(row) for row in rows]


@pytest.fixture
def served(models: dict[str, Any]) -> Iterator[tuple[world.Served, str]]:
    """An endpoint, and what it was asked."""
    told = world.Served(models)
    with world.endpoint(told) as url:
        yield told, url


def plan(folder: Path, url: str, texts: list[str], test: str = "hard", **given: Any) -> Path:
    """A plan that reads these texts."""
    path = world.plan(folder, url, test=test, **given)
    lines = [json.dumps({"prompt": text}) for text in texts]
    (folder / "prompts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    if test == "soft":
        ours = f'[reference]\nname = "ours"\nurl = "{url}"\nmodel = "ours"\napi = "completions"\n'
        path.write_text(path.read_text("utf-8") + ours, encoding="utf-8")
    return path


def audited(path: Path, out: Path, settings: Settings) -> dict[str, Any]:
    """Commit, ask, judge."""
    opened = work.open_plan(path, settings)
    work.commit(opened, out, settings)
    work.ask(opened, out, Unheard())
    return work.judge(opened, out)


@pytest.mark.parametrize("test", ["hard", "soft"])
def test_the_campaign_is_named_with_one_call_a_text(
    test: str, served: Any, texts: list[str], settings: Settings, tmp_path: Path
) -> None:
    """One of twelve keys fires and three controls count; another student of the same teacher is cleared; transcripts
    are judged again to the same figures, asking nobody."""
    told, url = served
    path, out = plan(tmp_path, url, texts, test), tmp_path / "out"
    found = audited(path, out, settings)
    assert found["evidence"] == "keyed" and found["campaigns"] == [world.GUILTY], found["sentence"]
    assert found["claim"]["test"] == f"radio-{test}" and len(found["claim"]["counting"]) == 3
    assert any("at the word of the endpoint of suspect, control-0" in note for note in found["notes"])
    models = len(found["models"])
    assert len(told.asked) == models * TEXTS
    assert json.dumps(work.judge(work.open_plan(path, settings, again=out), out)) == json.dumps(found)
    assert len(told.asked) == models * TEXTS
    place = tmp_path / "clean"
    place.mkdir()
    clean = audited(plan(place, url, texts, test, suspect="clean"), place / "out", settings)
    assert clean["evidence"] is None and not clean["campaigns"], clean["sentence"]


def test_it_reads_what_the_weights_would_say(
    served: Any, models: dict[str, Any], texts: list[str], settings: Settings, tmp_path: Path
) -> None:
    """The likeliest token at each place is the model's own, not the text's."""
    audited(plan(tmp_path, served[1], texts[:5]), tmp_path / "out", settings)
    lines = (tmp_path / "out/transcripts/0-suspect.jsonl").read_text("utf-8").splitlines()
    rows = {row["n"]: row for row in map(json.loads, lines[1:])}
    for n, text in enumerate(texts[:5]):
        tokens = np.array([int(word[1:]) for word in text.split()])
        log_p = models["suspect"].log_p(np.lib.stride_tricks.sliding_window_view(tokens, 2)[:-1])
        assert [row[0] for row in rows[n]["tokens"]] == log_p.argmax(axis=1).tolist()
        assert texts[n] not in lines[n + 1]


def test_the_cost_is_said_before_and_the_budget_holds(
    served: Any, texts: list[str], settings: Settings, tmp_path: Path
) -> None:
    """A call is a text of one model, with one token written; what is open is asked on, and nothing twice."""
    told, url = served
    path, out = plan(tmp_path, url, texts[:40], calls=100), tmp_path / "out"
    command = ["prove", "suspect", str(path), "--out", str(out), "--cost", "--settings"]
    command.append(str(Path(settings.dye.folder).parent / "stillwatch.toml"))
    cost = CliRunner().invoke(main, command)
    assert cost.exit_code == 0 and "160 to 4 models, budget 100" in cost.stdout, cost.output
    assert f"{160 * toy.LENGTH:,} in, at most 160 out" in cost.stdout and "at most 0.01 USD" in cost.stdout
    assert not told.asked
    opened = work.open_plan(path, settings)
    work.commit(opened, out, settings)
    told.dies_after = 30
    with pytest.raises(UpstreamError, match="HTTP 402"):
        work.ask(opened, out, Unheard())
    told.dies_after = 10**9
    left = work.ask(opened, out, Unheard())
    refused = 160 - 100 - sum(left.values())
    assert len(told.asked) == 100 and len(set(told.asked)) == 100 + refused and -8 <= refused < 0


def test_what_a_hostile_endpoint_sends_is_a_text_less(
    served: Any, texts: list[str], settings: Settings, tmp_path: Path
) -> None:
    """One text after the other is answered otherwise: each is counted by its reason, and the others are judged."""
    told, url = served
    bends = iter([None] * 8 + [bend for bend, _ in BENT.values()])
    told.bend = lambda body: (next(bends, None) or (lambda same: same))(body)
    path, out = plan(tmp_path, url, texts), tmp_path / "out"
    found = audited(path, out, settings)
    about = found["models"][0]
    assert about["answered"] == TEXTS - len(BENT), about["failed"]
    assert sum(about["failed"].values()) == len(BENT)
    assert all(any(words in reason for _, words in BENT.values()) for reason in about["failed"])
    assert found["campaigns"] == [world.GUILTY]


def test_a_server_that_echoes_nothing_is_asked_no_more(
    served: Any, texts: list[str], settings: Settings, tmp_path: Path
) -> None:
    """Two thousand texts would be paid for in vain; the first few say so."""
    told, url = served
    told.bend = lambda body: {"choices": [{"text": "w1"}]}
    opened = work.open_plan(plan(tmp_path, url, texts), settings)
    work.commit(opened, tmp_path / "out", settings)
    with pytest.raises(UpstreamError, match="without log-probabilities of the text, 8 times") as caught:
        work.ask(opened, tmp_path / "out", Unheard())
    assert "probes or closed" in str(caught.value.hint) and len(told.asked) <= 8 + 8


def test_a_model_of_another_tokeniser_is_not_read_here_and_there(
    served: Any, texts: list[str], settings: Settings, tmp_path: Path
) -> None:
    """Which texts agree hangs on their marked tokens: a few may be left out, more are no reading of that model."""
    told, url = served
    calls = iter(range(10**6))
    told.bend = lambda body: other_tokens(body) if next(calls) % 4 == 1 else body
    with pytest.raises(ConfigError, match="texts into other tokens than ours") as caught:
        audited(plan(tmp_path, url, texts[:30]), tmp_path / "out", settings)
    assert "another plan" in str(caught.value.hint)


def test_an_endpoint_that_tells_the_text_back_convicts_nobody(
    served: Any, texts: list[str], settings: Settings, tmp_path: Path
) -> None:
    """A clean model behind a server that calls the text's own, marked, tokens the likeliest: no reading of it."""

    def own(body: dict[str, Any]) -> dict[str, Any]:
        said = body["choices"][0]["logprobs"]
        said["top_logprobs"] = [{look: -1.0, " w999": -9.0} for look in said["tokens"]]
        said["token_logprobs"] = [-1.0] * len(said["tokens"])
        return body

    told, url = served
    calls = iter(range(10**6))
    told.bend = lambda body: own(body) if next(calls) < 30 else body
    with pytest.raises(ConfigError, match="holds the text's own token likeliest at 1,380 of 1,380") as caught:
        audited(plan(tmp_path, url, texts[:30], suspect="clean"), tmp_path / "out", settings)
    assert "new texts" in str(caught.value.hint)


@pytest.mark.parametrize("test", ["hard", "soft"])
def test_endpoints_and_weights_stand_side_by_side(
    test: str,
    served: Any,
    texts: list[str],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A suspect behind an endpoint, a control whose weights are here: the same places of both, whatever each lists."""
    told, url = served
    monkeypatch.setattr(local, "PROGRAM", (sys.executable, stub.__file__))
    pairs = np.stack(np.meshgrid(*[np.arange(toy.VOCABULARY)] * 2, indexing="ij"), -1).reshape(-1, 2)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "config.json").write_text("{}")
    with (tmp_path / "here" / "model.safetensors").open("wb") as file:
        np.save(file, told.models["control-1"].log_p(pairs).reshape(*[toy.VOCABULARY] * 3).astype(np.float16))
    path = plan(tmp_path, url, texts[:60], test)
    text = path.read_text("utf-8").replace(f'url = "{url}"\nmodel = "control-1"', 'folder = "here"')
    path.write_text(text, encoding="utf-8")
    found = audited(path, tmp_path / "out", settings)
    assert found["campaigns"] == [world.GUILTY] and len(found["claim"]["counting"]) == 3
    assert "control-1" not in {model for model, _ in told.asked}
    scored = {control["name"]: control["scored"] for control in found["claim"]["controls"]}
    assert scored["control-1"] == scored["control-0"] or test == "soft"
    cost = work.cost(work.open_plan(path, settings))
    assert cost["tokens_out_at_most"] == 60 * (cost["models"] - 1)


class Twice:
    """A model that after every seventh pair of words says the last word again."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def log_p(self, windows: Any) -> Any:
        """Logarithms of what follows each pair."""
        found = self.model.log_p(windows).copy()
        again = np.flatnonzero(windows.sum(axis=1) % 7 == 0)
        found[again, windows[again, 1]] = 0.0
        return found - np.logaddexp.reduce(found, axis=1, keepdims=True)


def late(body: dict[str, Any]) -> dict[str, Any]:
    """As llama-cpp-python answers for a model that puts no token before a text: each list beside the token before."""
    said = body["choices"][0]["logprobs"]
    tokens, lists = said["tokens"][:-1], said["top_logprobs"][1:]
    said["tokens"], said["top_logprobs"], said["token_logprobs"] = tokens, [], []
    for look, row in zip(tokens, lists, strict=True):
        row = {look: -30.0, **row}
        said["top_logprobs"].append(row)
        said["token_logprobs"].append(row[look])
    said["top_logprobs"][0] = said["token_logprobs"][0] = None
    return body


@pytest.mark.parametrize("test", ["hard", "soft"])
def test_lists_that_stand_a_place_late_are_read_where_they_belong(
    test: str, served: Any, texts: list[str], settings: Settings, tmp_path: Path
) -> None:
    """The campaign is named from them, the first place of each text is not used, and the dossier says so."""
    told, url = served
    told.bend = late
    found = audited(plan(tmp_path, url, texts, test), tmp_path / "out", settings)
    assert found["evidence"] == "keyed" and found["campaigns"] == [world.GUILTY], found["sentence"]
    assert all(model["dropped"] == {claimed.LATE: TEXTS} for model in found["models"]), found["models"]
    place = tmp_path / "clean"
    place.mkdir()
    clean = audited(plan(place, url, texts, test, suspect="clean"), place / "out", settings)
    assert clean["evidence"] is None and not clean["campaigns"], clean["sentence"]


@pytest.mark.parametrize("pairs", [7, 3])
def test_an_innocent_that_says_words_twice_is_not_found_guilty_by_late_lists(
    pairs: int,
    served: Any,
    texts: list[str],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beside the token before, a list knows what the mark chose: taken as it stands it would convict, so it is not."""
    told, url = served
    told.bend = late
    told.models["twice"] = Twice(told.models["clean"])
    path, out = plan(tmp_path, url, texts, suspect="twice"), tmp_path / "out"
    with pytest.raises(ConfigError, match=r"lists the token of a place [0-9,]+ times") as caught:
        audited(path, out, settings)
    assert "probes" in str(caught.value.hint)
    monkeypatch.setattr(claimed, "SURE", float("inf"))
    monkeypatch.setattr(claimed, "ENOUGH", float("inf"))
    taken = work.judge(work.open_plan(path, settings, again=out), out)
    assert taken["campaigns"] == [world.GUILTY], "else nothing was shown"
