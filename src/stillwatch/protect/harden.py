"""Harden a request body: take out, or clamp, the fields that give away logits, samples or control of the sampler.

Examples
--------
>>> terms = Terms(strip=("logprobs", "seed"), clamp=(("n", 1),))
>>> hardened({"model": "m", "n": 8, "seed": 4, "logprobs": True, "extra_body": {"seed": 4}}, terms)
({'model': 'm', 'n': 1, 'extra_body': {}}, ('n', 'seed', 'logprobs', 'extra_body.seed'))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.records import Terms

FIELDS: dict[str, tuple[str, ...]] = {
    "logprobs": ("logprobs", "prompt_logprobs", "return_logprob", "logprob_start_len", "responseLogprobs",
                 "response_logprobs"),
    "top_logprobs": ("top_logprobs", "top_logprobs_num", "token_ids_logprob"),
    "logit_bias": ("logit_bias",),
    "n": ("n", "best_of", "num_return_sequences", "candidateCount", "candidate_count", "num_choices"),
    "seed": ("seed", "random_seed", "sampling_seed"),
    "watermark": ("watermark", "watermarking", "watermarking_config", "watermark_config", "watermark_key"),
    "logit_processors": ("logits_processors", "logit_processors", "custom_logit_processor", "logits_processor",
                         "logits_processor_args", "custom_params", "vllm_xargs"),
}  # fmt: skip
"""Names under which serving engines and providers take each field."""
NESTED = ("extra_body", "sampling_params", "generation_config", "generationConfig", "parameters", "options",
          "inferenceConfig", "additionalModelRequestFields")  # fmt: skip
"""Objects in which a body may carry the same fields."""


def hardened(body: Mapping[str, Any], terms: Terms) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body without what the terms strip, and the names of what was changed.

    The body given is left as it is. A clamped field that is no number is taken out: it cannot be compared. Where
    log-probabilities are stripped, so is what asks for them in ``include`` (OpenAI's Responses).
    """
    strip = {name for field in terms.strip for name in FIELDS.get(field, (field,))}
    clamp = {name: most for field, most in terms.clamp for name in FIELDS.get(field, (field,))}
    changed: list[str] = []
    out = _part(body, strip, clamp, "", changed)
    asked = out.get("include")
    if "logprobs" in strip and isinstance(asked, list):
        kept = [part for part in asked if not (isinstance(part, str) and part.endswith("logprobs"))]
        if len(kept) < len(asked):
            out["include"] = kept
            changed.append("include")
    return out, tuple(changed)


def _part(
    body: Mapping[str, Any], strip: set[str], clamp: Mapping[str, int], prefix: str, changed: list[str]
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in body.items():
        if name in strip:
            changed.append(prefix + name)
        elif name in clamp and value is not None:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                changed.append(prefix + name)
            elif value > clamp[name]:
                out[name] = clamp[name]
                changed.append(prefix + name)
            else:
                out[name] = value
        elif not prefix and name in NESTED and isinstance(value, Mapping):
            out[name] = _part(value, strip, clamp, name + ".", changed)
        else:
            out[name] = value
    return out
