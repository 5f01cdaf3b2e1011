"""Device id: one claimed device under several accounts."""

import numpy as np

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.detect.traits._extract import column_tokens
from stillwatch.records import Family

PLACEHOLDER = 25
"""A device id claimed by more units than this is a default of some software, not a device."""


def extract(traffic: Traffic) -> Tokens:
    """Device ids, less the placeholders."""
    got = column_tokens(traffic, "device")
    _, inverse, units = np.unique(got.value, return_inverse=True, return_counts=True)
    keep = units[inverse.ravel()] <= PLACEHOLDER
    return Tokens(got.unit[keep], got.value[keep], got.count[keep])


TRAIT = TokenTrait(
    id="device_id",
    title="Device id",
    family=Family.INFRASTRUCTURE,
    needs=frozenset({"device_id"}),
    what="The device id that the client claims, as a keyed digest.",
    null="Units draw devices independently; a device seen under many units among honest accounts is common.",
    looks_alike=("a shared lab or family computer", "clients that send a constant placeholder (left out)"),
    source="A relay keeps the client's device id and changes the account behind it.",
    extract=extract,
    group="device",
    defines_hubs=True,
    bets=True,
    block=2,
)
