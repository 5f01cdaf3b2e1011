"""knowlyr-modelaudit's whole audit of students beside their teacher, over HTTP; run by the environment ``auditors``."""

from __future__ import annotations

import json
import sys
import time

from modelaudit.engine import AuditEngine


def main() -> None:
    """Arguments: an address, the teacher's name, then students' names. One JSON object a line."""
    base, teacher, *students = sys.argv[1:]
    for student in students:
        engine, start = AuditEngine(use_cache=False), time.process_time()
        found = engine.audit(teacher, student, provider="openai", api_key="none", api_base=base)
        scores = {one.method: [round(one.similarity, 4), one.is_derived] for one in found.comparisons}
        row = {"student": student, "verdict": found.verdict, "scores": scores}
        print(json.dumps(row | {"cpu_s": round(time.process_time() - start, 2)}), flush=True)


if __name__ == "__main__":
    main()
