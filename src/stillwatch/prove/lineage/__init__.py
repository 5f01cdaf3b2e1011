"""Corroboration: agreement with a pool of controls, style, identity of an endpoint. Never "trained on our outputs"."""

from stillwatch.prove.lineage.agreement import agreement, log_p_nearer
from stillwatch.prove.lineage.endpoint import Identity, endpoint_identity
from stillwatch.prove.lineage.style import PROFILES, style

__all__ = ["PROFILES", "Identity", "agreement", "endpoint_identity", "log_p_nearer", "style"]
