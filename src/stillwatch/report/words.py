"""Fixed words of the report: what our closed vocabularies mean in plain language."""

from __future__ import annotations

import re
from typing import Final

FAMILY_WORDS: Final = {
    "content": "what the accounts ask for",
    "infrastructure": "where the accounts connect from, and with what",
    "timing": "when the accounts act, together",
    "identity": "who pays and who signed up",
    "behaviour": "how the accounts act upon each other's work",
}
TIER_WORDS: Final = {
    "member": "linked by at least two independent channels, or by one that shows control; may be acted on",
    "associated": "linked, but little extraction of its own; possibly a customer of the same reseller",
    "watch": "weakly linked; nothing should follow from this alone",
}
CONFIDENCE_WORDS: Final = {
    "low": "treat as a lead",
    "medium": "worth a person's time",
    "high": "several independent families agree",
}
TECHNIQUE_NAMES: Final = {
    "AML.T0005": "Create Proxy AI Model",
    "AML.T0008": "Acquire Infrastructure",
    "AML.T0008.005": "AI Service Proxies",
    "AML.T0021": "Establish Accounts",
    "AML.T0024": "Exfiltration via AI Inference API",
    "AML.T0024.002": "Extract AI Model",
    "AML.T0040": "AI Model Inference API Access",
    "AML.T0065": "LLM Prompt Crafting",
    "AML.T0048.004": "AI Intellectual Property Theft",
    "AML.CS0056": "Model Distillation Campaigns (case study)",
}
KIND_WORDS: Final = {
    "campaign": "one controller, and traffic shaped like dataset production",
    "pool": "one controller, use unknown",
}
_TECHNIQUE = re.compile(r"AML\.(T\d{4}(\.\d{3})?|CS\d{4})")


def technique_link(technique: str) -> str:
    """Address of an ATLAS page; empty when the text is not an ATLAS id.

    Example:
        >>> technique_link("AML.T0024.002")
        'https://atlas.mitre.org/techniques/AML.T0024.002'
        >>> technique_link("AML.CS0056")
        'https://atlas.mitre.org/studies/AML.CS0056'
        >>> technique_link("javascript:alert(1)")
        ''
    """
    if not _TECHNIQUE.fullmatch(technique):
        return ""
    room = "studies" if technique.startswith("AML.CS") else "techniques"
    return f"https://atlas.mitre.org/{room}/{technique}"


def label(name: str) -> str:
    """Machine name in plain letters.

    Example:
        >>> label("payment_digest")
        'payment digest'
    """
    return name.replace("_", " ").strip()
