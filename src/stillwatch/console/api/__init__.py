"""The same for programs: everything under ``/api/v1``, described at ``/api/openapi.json``."""

from stillwatch.console.api import cases, deciding, people, run

ROUTERS = (run.router, cases.router, deciding.router, people.router)

__all__ = ["ROUTERS"]
