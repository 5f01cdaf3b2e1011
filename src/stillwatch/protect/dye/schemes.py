"""What a serving engine is told: one scheme for each way in which an engine can write a mark.

SGLang takes a key with each request, so one fleet serves every campaign under its own. vLLM and TensorRT-LLM take one
key for a whole engine: a campaign gets replicas of its own, and the gateway routes by the key's name. Wide windows
(4) are hard to steal and for all traffic; narrow ones (1 or 2) are learnt from far less text and for flagged
campaigns.

Examples
--------
>>> SCHEMES["sglang-gumbel"].request(7, 2)
{'watermark': {'enabled': True, 'key': 7, 'context_window': 2}}
>>> SCHEMES["vllm-sbw-left"].server(7, 1)
{'algorithm': 'sbw', 'sbw_scheme': 'lefthash', 'key': 7, 'context_width': 1}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.errors import ConfigError

NARROW, WIDE, WIDEST = 2, 4, 64


@dataclass(frozen=True, slots=True)
class Scheme:
    """One engine and one algorithm of its."""

    id: str
    engine: str
    start: str
    """How the engine is started. ``{config}`` stands for the file that holds its configuration, ``{config!r}`` for the
    same in Python."""
    mark: str | None
    """Which mark of ``prove`` reads it; None where no detector of ours was held against the engine's."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the engine's configuration besides key and window."""
    width_field: str = "context_width"
    per_request: bool = False
    """Whether a request may carry its own key."""
    width: int = WIDE
    """Window where nobody says."""
    note: str = ""

    def server(self, key: int, width: int) -> dict[str, Any]:
        """The engine's configuration under a key."""
        return {**self.fixed, "key": key, self.width_field: _width(width)}

    def request(self, key: int, width: int) -> dict[str, Any]:
        """Fields that a request carries; empty where the engine takes its key at the start only."""
        if not self.per_request:
            return {}
        return {"watermark": {"enabled": True, "key": key, self.width_field: _width(width)}}


def _width(width: int) -> int:
    if not 1 <= width <= WIDEST:
        raise ConfigError(f"a window of {width} tokens", hint=f"a window has 1 to {WIDEST} tokens")
    return width


_SHOWN = "the key is on the command line: run where nobody else may list processes"
_VLLM = 'vllm serve MODEL --watermark-config "$(cat {config})"'
_SGLANG = "python -m sglang.launch_server --model-path MODEL --enable-watermark --watermark-enforce-all --watermark-config {config}"  # noqa: E501
_TENSORRT = "LLM(model=MODEL, watermark_config=WatermarkConfig(**json.load(open({config!r}))))"

SCHEMES: dict[str, Scheme] = {
    scheme.id: scheme
    for scheme in (
        Scheme("vllm-gumbel", "vLLM", _VLLM, "vllm-gumbel", {"algorithm": "gumbel"}, note=_SHOWN),
        Scheme("vllm-dual-gumbel", "vLLM", _VLLM, "vllm-dual-gumbel", {"algorithm": "dual_key_gumbel"},
               note=f"keeps speculative decoding; {_SHOWN}"),
        Scheme("vllm-sbw", "vLLM", _VLLM, "vllm-sbw", {"algorithm": "sbw", "sbw_scheme": "selfhash"},
               note=f"a pull request at the time of writing; marks greedy answers too; {_SHOWN}"),
        Scheme("vllm-sbw-left", "vLLM", _VLLM, "vllm-sbw-left", {"algorithm": "sbw", "sbw_scheme": "lefthash"},
               width=1, note=f"a pull request at the time of writing; marks greedy answers too; {_SHOWN}"),
        Scheme("sglang-gumbel", "SGLang", _SGLANG, "sglang-gumbel", width_field="context_window", per_request=True,
               note="the server's window is the largest that a request may ask for"),
        Scheme("tensorrt-llm-gumbel", "TensorRT-LLM", _TENSORRT, None, {"algorithm": "gumbel"},
               note="a prototype of the engine's; no detector of ours was held against it"),
        Scheme("tensorrt-llm-dual-gumbel", "TensorRT-LLM", _TENSORRT, None, {"algorithm": "gumbel_dual_key"},
               note="a prototype of the engine's; no detector of ours was held against it"),
    )
}  # fmt: skip
"""Every scheme by its id."""


def scheme_of(scheme_id: str) -> Scheme:
    """A scheme by its id."""
    if scheme_id not in SCHEMES:
        raise ConfigError(
            f"no marking scheme is called {scheme_id!r}", hint=f"there are {', '.join(sorted(SCHEMES))}"
        )
    return SCHEMES[scheme_id]
