"""What each gateway carries out by itself, and what it leaves to the server behind: for the documentation and counters.

>>> left("check"), left("asgi")
((<Action.SUMMARISE: 'summarise'>, <Action.HARDEN: 'harden'>, <Action.MARK: 'mark'>), ())
"""

from __future__ import annotations

from stillwatch.records import Action

DOORS = {
    "asgi": "[middleware](gateways/asgi.md)",
    "envoy": "[Envoy `ext_proc`](gateways/envoy.md)",
    "check": "[`/check`: nginx, `ext_authz`](gateways/nginx.md)",
    "litellm": "[LiteLLM](gateways/litellm.md)",
}
DONE, TOLD, NOT = "yes", "named to the server behind", "no"
CARRIED: dict[Action, dict[str, str]] = {
    Action.OBSERVE: dict.fromkeys(DOORS, DONE),
    Action.THROTTLE: {"asgi": "yes: 429", "envoy": "yes: 429", "check": "yes: 429", "litellm": "yes: 400"},
    Action.VERIFY: {"asgi": "yes: 403", "envoy": "yes: 403", "check": "yes: 403", "litellm": "yes: 400"},
    Action.SUMMARISE: {
        "asgi": "yes: texts of reasoning are emptied, whole answers and streams",
        "envoy": "yes, the same; with `response_body_mode: NONE` no",
        "check": TOLD,
        "litellm": NOT,
    },
    Action.HARDEN: {"asgi": DONE, "envoy": DONE, "check": "fields and limits are " + TOLD, "litellm": NOT},
    Action.MARK: {
        "asgi": "the key, with `dye.inject`; else its name goes to the server behind",
        "envoy": "the key, with `dye.inject`; else its name goes to the server behind",
        "check": "the key's name goes to the proxy that asks",
        "litellm": NOT,
    },
    Action.HOLD: {"asgi": "yes: 403", "envoy": "yes: 403", "check": "yes: 403", "litellm": "yes: 400"},
    Action.DENY: {"asgi": "yes: 403", "envoy": "yes: 403", "check": "yes: 403", "litellm": "yes: 400"},
}  # fmt: skip
"""Action -> gateway -> whether it is carried out there, in the words of the table."""
_LEFT = {
    "check": (Action.SUMMARISE, Action.HARDEN, Action.MARK),
    "litellm": (Action.SUMMARISE, Action.HARDEN, Action.MARK),
}


def left(door: str) -> tuple[Action, ...]:
    """Actions that need the body or the answer, which this gateway does not see."""
    return _LEFT.get(door, ())
