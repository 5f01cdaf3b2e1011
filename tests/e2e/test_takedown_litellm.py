"""The LiteLLM executor against a real proxy that has no database, or cannot reach it.

Such a proxy blocks nobody: what it says leads to another try and never to a step that counts as done. Bodies and routes
are held against the proxy's own description of its API. That a block takes effect, and is taken back, is shown in
``test_takedown_litellm_db.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

pytest.importorskip("httpx", reason="pip install 'stillwatch[respond]'")
pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[respond]'")

from stillwatch.records import StepState
from stillwatch.wiring.executors import LiteLLM
from tests.conftest import KEY
from tests.e2e.gating import free_port, plain_environment, running

ROOT = Path(__file__).resolve().parents[2]
PROXY = ROOT / ".cache/litellm/bin/litellm"
pytestmark = pytest.mark.skipif(
    not PROXY.exists(), reason="there is no LiteLLM proxy here; `make litellm` installs it"
)
STEP = {"key": "k1", "kind": "act", "undo": False, "account_id": "t-1", "measure": "block"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A proxy without a database."""
    folder = tmp_path_factory.mktemp("litellm")
    (folder / "config.yaml").write_text("model_list: []\n")
    port = free_port()
    env = plain_environment(LITELLM_LOCAL_MODEL_COST_MAP="True", NO_PROXY="*", LITELLM_MASTER_KEY=f"sk-{KEY}")
    args = [str(PROXY), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with running(args, port, env=env, cwd=folder, until="running on http"):
        yield f"http://127.0.0.1:{port}"


def test_a_proxy_that_cannot_block_now_is_asked_again(url: str) -> None:
    """Never done, for teams and keys, blocking and taking back."""
    hands = LiteLLM(url, f"sk-{KEY}", "team", 30.0)
    sent = [hands.send({**STEP, **more}) for more in (
        {}, {"undo": True}, {"kind": "revoke", "credential": "0" * 64})]  # fmt: skip
    hands.close()
    assert [s.state for s in sent] == [StepState.WAITING] * 3, sent
    assert sent[0].error == "answered 500"


def test_a_wrong_admin_key_is_refused(url: str) -> None:
    """For good: nothing is tried eight times with it."""
    hands = LiteLLM(url, "sk-wrong", "team", 30.0)
    sent = hands.send(STEP)
    hands.close()
    assert sent.state is StepState.FAILED, sent


def test_routes_and_bodies_are_those_of_the_proxys_description(url: str) -> None:
    """Of the version that runs here."""
    with urlopen(f"{url}/openapi.json") as answer:  # noqa: S310
        described = json.load(answer)
    for path, field in (("/team/block", "team_id"), ("/team/unblock", "team_id"), ("/key/block", "key"),
                        ("/key/unblock", "key")):  # fmt: skip
        schema = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        name = schema["$ref"].rsplit("/", 1)[1]
        assert field in described["components"]["schemas"][name]["properties"], path
