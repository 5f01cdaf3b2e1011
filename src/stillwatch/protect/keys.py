"""Keys of a policy file and of its rules: what each means and what it may hold. The reference page is made of it."""

from __future__ import annotations

from dataclasses import dataclass

HARDENED = ("logprobs", "top_logprobs", "logit_bias", "n", "seed", "watermark", "logit_processors")
"""What ``harden`` may strip; the last two stand for every field by which serving engines take them."""
CLAMPED = ("top_logprobs", "n")
"""What ``harden`` may clamp instead."""
CAMPAIGN_KEY = "campaign"
"""``mark``: the key of the account's campaign, so that a later student can be traced to it."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key and its meaning."""

    name: str
    help: str
    default: str = ""


FILE_KEYS = (
    Key("policy", "Name of the policy. Accounts are drawn into a canary by this name, so keep it.", "needed"),
    Key("version", "Stamped on every decision.", "needed"),
    Key("mode", "`shadow`, `canary` or `enforce`, for every rule that does not say.", '`"shadow"`'),
    Key("canary_share", "Share of accounts for which a canary acts, 0 to 1.", "`0.05`"),
    Key("expires", "How long a decision holds: a number and `s`, `m`, `h` or `d`.", '`"24h"`'),
    Key("appeal", "Link or address where the customer asks a person to look; `{decision}` stands for the id.",
        "needed"),
    Key("verify_url", "Where your own verification flow begins; `{challenge}` stands for the challenge.", "unset"),
    Key("rule", "`[[rule]]` tables, in order: the first that matches and acts decides.", "none"),
)  # fmt: skip
RULE_KEYS = (
    Key("id", "Name of the rule: lower-case letters, digits and `-`.", "needed"),
    Key("when", "Table of conditions; all must hold.", "needed"),
    Key("action", "What is done.", "needed"),
    Key("also", "Further actions that go with it: `summarise`, `harden`, `mark`.", "none"),
    Key("reason", "Reason code.", "needed"),
    Key("say", "Sentence for the customer in place of the reason's own.", "the reason's"),
    Key("mode", "As above, for this rule.", "the file's"),
    Key("canary_share", "As above, for this rule.", "the file's"),
    Key("expires", "As above, for this rule.", "the file's"),
    Key("appeal", "As above, for this rule.", "the file's"),
    Key("covert", "`true`: the customer is not told. A notice is printed whenever the policy is loaded.", "`false`"),
    Key("off", "`true`: the rule is passed over.", "`false`"),
    Key("throttle", "`{ rate_per_min = 60, burst = 10 }`; with action `throttle`. With `per = \"campaign\"` or "
        "`per = \"org\"` the requests of all its accounts count together.", "needed with it"),
    Key("verify", '`{ level = "card" }`; with action `verify`. Accounts at that level or above do not match.',
        "needed with it"),
    Key("harden", "`{ strip = [...], clamp = { n = 1 } }`; with `harden`.", "strip all"),
    Key("mark", f'`{{ key = "{CAMPAIGN_KEY}" }}` for the key of the account\'s campaign, or the name of a key; with '
        "`mark`.", "needed with it"),
)  # fmt: skip
