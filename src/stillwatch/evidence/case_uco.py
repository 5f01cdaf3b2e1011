"""The exhibits and their custody as CASE/UCO, the ontology that forensic tools exchange.

Made by template, without a graph library: files with their digests, the investigative acts on them in order, who did
each, and the records of provenance that tie both together. What a package withholds is not in here either: it is made
from the index of exhibits and the chain of custody, which name files and no accounts.

References: CASE 1.4 and UCO 1.4 (caseontology.org); ids are UUIDs under the package's random id.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

CONTEXT = {
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    "kb": "http://example.org/kb/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
    "uco-core": "https://ontology.unifiedcyberontology.org/uco/core/",
    "uco-identity": "https://ontology.unifiedcyberontology.org/uco/identity/",
    "uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
    "uco-tool": "https://ontology.unifiedcyberontology.org/uco/tool/",
    "uco-types": "https://ontology.unifiedcyberontology.org/uco/types/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def case_uco(package_id: str, title: str, exhibits: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The graph of a package as JSON-LD.

    Args:
        package_id: random, so that ids say nothing. title: of the case. exhibits: rows of the index of exhibits.

    >>> [row["@type"] for row in case_uco("P-1", "t", [])["@graph"]]
    ['case-investigation:Investigation']
    """
    rows = list(exhibits)
    made = _Graph(package_id)
    graph: list[dict[str, Any]] = []
    refs = []
    for number, row in enumerate(rows, 1):
        file, record, act = (
            made.id(kind, row["path"]) for kind in ("File", "ProvenanceRecord", "InvestigativeAction")
        )
        who, tool = made.id("Person", row["collector"]), made.id("Tool", row["tool"])
        graph += [
            _file(made, file, row),
            _record(record, number, row, file),
            _act(act, row, file, record, who, tool),
        ]
        refs += [file, record, act]
    for name in sorted({row["collector"] for row in rows}):
        graph.append({"@id": made.id("Person", name), "@type": "uco-identity:Person", "uco-core:name": name})
    for name in sorted({row["tool"] for row in rows}):
        program, _, version = name.partition(" ")
        graph.append({"@id": made.id("Tool", name), "@type": "uco-tool:AnalyticTool", "uco-core:name": program,
                      "uco-tool:version": version})  # fmt: skip
    investigation: dict[str, Any] = {
        "@id": made.id("Investigation", package_id), "@type": "case-investigation:Investigation",
        "uco-core:name": title,
    }  # fmt: skip
    if refs:
        investigation["uco-core:object"] = [{"@id": ref} for ref in refs]
    return {"@context": CONTEXT, "@graph": [investigation, *graph]}


class _Graph:
    """Ids of one package."""

    def __init__(self, package_id: str) -> None:
        self._space = uuid.uuid5(uuid.NAMESPACE_URL, f"urn:stillwatch:{package_id}")

    def id(self, kind: str, name: str) -> str:
        return f"kb:{kind}-{uuid.uuid5(self._space, f'{kind} {name}')}"


def _file(made: _Graph, file: str, row: Mapping[str, Any]) -> dict[str, Any]:
    digest = {
        "@id": made.id("Hash", row["path"]), "@type": "uco-types:Hash",
        "uco-types:hashMethod": "SHA256",
        "uco-types:hashValue": {"@type": "xsd:hexBinary", "@value": row["sha256"]},
    }  # fmt: skip
    return {
        "@id": file, "@type": "uco-observable:File",
        "uco-core:hasFacet": [
            {
                "@id": made.id("FileFacet", row["path"]), "@type": "uco-observable:FileFacet",
                "uco-observable:fileName": row["path"].rsplit("/", 1)[-1], "uco-observable:filePath": row["path"],
                "uco-observable:sizeInBytes": {"@type": "xsd:integer", "@value": str(row["size"])},
            },
            {
                "@id": made.id("ContentDataFacet", row["path"]), "@type": "uco-observable:ContentDataFacet",
                "uco-observable:hash": digest,
            },
        ],
    }  # fmt: skip


def _record(record: str, number: int, row: Mapping[str, Any], file: str) -> dict[str, Any]:
    return {
        "@id": record, "@type": "case-investigation:ProvenanceRecord",
        "case-investigation:exhibitNumber": f"{number}", "uco-core:description": row["what"],
        "uco-core:object": {"@id": file},
    }  # fmt: skip


def _act(act: str, row: Mapping[str, Any], file: str, record: str, who: str, tool: str) -> dict[str, Any]:
    return {
        "@id": act, "@type": "case-investigation:InvestigativeAction", "uco-core:name": f"sealed {row['path']}",
        "uco-core:description": f"from {row['source']}; settings {row['settings_digest']}",
        "uco-action:startTime": {"@type": "xsd:dateTime", "@value": row["at"]},
        "uco-action:endTime": {"@type": "xsd:dateTime", "@value": row["at"]},
        "uco-action:performer": {"@id": who}, "uco-action:instrument": {"@id": tool},
        "uco-action:result": [{"@id": file}, {"@id": record}],
    }  # fmt: skip
