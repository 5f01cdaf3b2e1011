"""The golden bundle: ATLAS case study AML.CS0056 as a member would share it. Run as a module to write it.

The figures are those that were published, as buckets; the text is ours; nobody is named.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from stillwatch.records import Confidence, Evidence, Family
from stillwatch.records.sharing import Audience, Facts, Product, Tlp, ToShare
from stillwatch.share import atlas, build, in_bundle
from tests.report.factory import make_campaign
from tests.share.making import NOW, SENDER, ids

PATH = Path(__file__).parent / "golden" / "aml-cs0056.json"


def made() -> dict[str, Any]:
    """The bundle."""
    _, chain = atlas.case_study("AML.CS0056")
    shared = tuple(
        Evidence(trait, family, "x", 2, 0.0, 3.0, 3.0, False, 0.0)
        for trait, family in (("template", Family.CONTENT), ("address", Family.INFRASTRUCTURE))
    )  # fmt: skip
    campaign = replace(
        make_campaign("C-1", 2, days=1), account_count=24_000, exchange_count=16_000_000, extraction_share=0.6,
        first_seen=datetime(2026, 1, 1, tzinfo=UTC), last_seen=datetime(2026, 2, 23, tzinfo=UTC),
        techniques=chain[:4], confidence=Confidence.HIGH, evidence=shared, capabilities=("agentic_tools", "code"),
    )  # fmt: skip
    facts = Facts(
        SENDER, summary="Access was bought in pools from resellers; work moved on when accounts were closed.",
        techniques=chain[4:], access_channels=("first-party-api", "reseller"),
    )  # fmt: skip
    what = ToShare(campaign, facts, Audience.LAB, Product.TACTICS, Tlp.GREEN)
    return in_bundle(build(what, now=NOW, ids=ids()), UUID(int=2**64, version=4))


if __name__ == "__main__":
    PATH.write_text(json.dumps(made(), indent=1) + "\n", encoding="utf-8")
