"""Run in an environment of its own, which has compliance-trestle: read an OSCAL document, or say what is wrong.

Usage: read_oscal.py catalog|assessment-results FILE. Reading is trestle's, by NIST's models; nothing of ours is loaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

from trestle.oscal.assessment_results import AssessmentResults
from trestle.oscal.catalog import Catalog

KINDS = {"catalog": Catalog, "assessment-results": AssessmentResults}


def main() -> None:
    """Read it, and print its title."""
    kind, path = sys.argv[1:]
    found = KINDS[kind].oscal_read(Path(path))
    if found is None:
        raise SystemExit("there is no such document")
    print(found.metadata.title)


if __name__ == "__main__":
    main()
