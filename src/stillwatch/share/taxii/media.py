"""Media types of TAXII 2.1, and whether two sides can talk.

References: OASIS, TAXII Version 2.1, sections 1.6.8 and 3.
"""

from __future__ import annotations

TAXII = "application/taxii+json;version=2.1"
STIX = "application/stix+json;version=2.1"


def accepted(header: str | None) -> bool:
    """Whether a client that says this takes what we answer; a client that says nothing does.

    >>> accepted("application/taxii+json; version=2.1"), accepted("application/taxii+json"), accepted("*/*")
    (True, True, True)
    >>> accepted("application/taxii+json;version=2.0"), accepted("application/json"), accepted("*/*;q=0")
    (False, False, False)
    """
    if header is None or not header.strip():
        return True
    return any(_fits(part) for part in header.split(","))


def posted(header: str | None) -> bool:
    """Whether a body is said to be TAXII 2.1.

    >>> posted("application/taxii+json;version=2.1"), posted("application/json"), posted(None)
    (True, False, False)
    """
    kind, given = _parts(header or "")
    return kind == "application/taxii+json" and given.get("version", "2.1") == "2.1"


def _fits(part: str) -> bool:
    kind, given = _parts(part)
    if kind not in ("application/taxii+json", "application/*", "*/*"):
        return False
    try:
        wanted = float(given.get("q", "1")) > 0
    except ValueError:
        return False
    return wanted and given.get("version", "2.1") == "2.1"


def _parts(text: str) -> tuple[str, dict[str, str]]:
    kind, *rest = text.split(";")
    pairs = (each.partition("=") for each in rest)
    return kind.strip().lower(), {k.strip().lower(): v.strip().strip('"') for k, _, v in pairs}


__all__ = ["STIX", "TAXII", "accepted", "posted"]
