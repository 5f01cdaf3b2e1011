"""The same for programs: everything under ``/api/v1``, described at ``/api/openapi.json``."""

from stillwatch.console.api import cases, deciding, people, policy, run

ROUTERS = (run.router, cases.router, deciding.router, policy.router, people.router)

__all__ = ["ROUTERS"]
