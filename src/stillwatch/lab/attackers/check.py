"""Is a campaign of a scenario file one that can be built?"""

from __future__ import annotations

from stillwatch.errors import ConfigError
from stillwatch.lab.attackers import LEVELS, VARIANTS
from stillwatch.lab.attackers.campaign import dials_of
from stillwatch.lab.attackers.framer import check_framing
from stillwatch.lab.attackers.imitation import imitation
from stillwatch.lab.scenario import CampaignSpec

KINDS = ("campaign", "pool", "framing")


def check_campaign(spec: CampaignSpec, where: str) -> None:
    """Say what cannot be built.

    Raises
    ------
    ConfigError
        Unknown variant, level, kind, header policy, dial or imitation, or a value out of bounds.
    """
    unknown = sorted({spec.variant, *spec.also} - set(VARIANTS))
    if unknown or not 0 <= spec.level < len(LEVELS) or spec.kind not in KINDS:
        raise ConfigError(
            f"{where} has an unknown variant, level or kind",
            hint=f"variants: {', '.join(sorted(VARIANTS))}; levels 0 to {len(LEVELS) - 1}; kinds: {', '.join(KINDS)}",
        )
    if spec.headers not in ("fixed", "passed"):
        raise ConfigError(f"{where}: headers is {spec.headers!r}", hint="fixed or passed")
    if spec.kind == "framing" and (spec.victims < 1 or VARIANTS[spec.variant] is None):
        raise ConfigError(f"{where}: framing needs victims and a text family", hint="victims = 3")
    if spec.kind != "framing" and (spec.victims or spec.imitation):
        raise ConfigError(f"{where}: only kind framing has victims", hint='kind = "framing"')
    try:
        dials = dials_of(spec)
        imitation(spec.imitation)
        if spec.kind == "framing":
            check_framing(dials)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from error
