"""What an endpoint may send in place of a text's likelihoods, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stillwatch.prove.suspects.echoed import ANOTHER

Bend = Callable[[dict[str, Any]], Any]


def other_tokens(body: dict[str, Any]) -> dict[str, Any]:
    """Two tokens in place of one."""
    said = body["choices"][0]["logprobs"]
    for name, value in (("tokens", said["tokens"][4][:2]), ("token_logprobs", -1.0), ("top_logprobs", None)):
        said[name].insert(4, value)
    said["tokens"][5] = said["tokens"][5][2:]
    return body


def said(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """Another value in the log-probabilities."""

    def bend(body: dict[str, Any]) -> Any:
        change(body["choices"][0]["logprobs"])
        return body

    return bend


def place(**fields: Any) -> Callable[[dict[str, Any]], Any]:
    """Something else at one place."""
    return said(lambda its: [its[name].__setitem__(9, value) for name, value in fields.items()])


NO_NUMBER, NONE, LACKS = "that is no number", "a log-probability that is none", "without log-probabilities"
BENT: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no log-probabilities": (lambda body: body["choices"][0].pop("logprobs") and body, LACKS),
    "log-probabilities that are null": (lambda b: {**b, "choices": [{"text": "", "logprobs": None}]}, LACKS),
    "a list in place of them": (lambda b: {**b, "choices": [{"text": "", "logprobs": [1]}]}, LACKS),
    "no list of tokens": (said(lambda its: its.update(tokens="w1 w2")), LACKS),
    "no choices": (lambda body: {"choices": []}, "no completion"),
    "no JSON": (lambda body: b"{", "no completion"),
    "a list": (lambda body: [body], "no completion"),
    "too deep": (lambda body: b'{"a":' * 100_000, "no completion"),
    "lists of other length": (said(lambda its: its["top_logprobs"].pop()), "unequal length"),
    "the answer alone": (said(lambda its: its.update({n: v[-1:] for n, v in its.items()})), ANOTHER),
    "another text": (said(lambda its: its.update(tokens=its["tokens"][::-1])), ANOTHER),
    "tokens that are no text": (place(tokens=7), ANOTHER),
    "another tokeniser": (other_tokens, ANOTHER),
    "a wall of tokens": (said(lambda its: its.update({n: v * 400 for n, v in its.items()})), ANOTHER),
    "NaN": (place(token_logprobs=float("nan")), NONE),
    "NaN among the likeliest": (place(top_logprobs={" w1": -1.0, " w2": float("nan")}), NONE),
    "infinity": (place(top_logprobs={" w1": -1.0, " w2": float("-inf")}), NONE),
    "above one": (place(top_logprobs={" w1": 3.0, " w2": -1.0}), NONE),
    "above one in all": (place(top_logprobs={" w1": -0.1, " w2": -0.1}), "above one in all"),
    "a number of 5,000 digits": (place(token_logprobs=-(10**4_000)), NONE),
    "strings as numbers": (place(top_logprobs={" w1": "-1.0", " w2": -2.0}), NO_NUMBER),
    "truth as a number": (place(token_logprobs=True), NO_NUMBER),
    "null as a number": (place(token_logprobs=None), NO_NUMBER),
    "no likeliest": (place(top_logprobs=None), "without its likeliest"),
    "a list of likeliest": (place(top_logprobs=[" w1", " w2"]), "without its likeliest"),
    "the text's own token alone": (
        said(lambda its: its.update(top_logprobs=[{look: -1.0} for look in its["tokens"]])), "without its likeliest",
    ),
    "a wall of likeliest": (
        place(top_logprobs={f" w{n}": -9.0 for n in range(300)}), "without its likeliest",
    ),
    "shifted by a place": (
        said(lambda its: its.update(top_logprobs=[None, *its["top_logprobs"][:-1]])), "of another place",
    ),
}  # fmt: skip
