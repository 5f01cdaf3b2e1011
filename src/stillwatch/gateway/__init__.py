"""Adapters between gateways and the gate: each turns what its gateway speaks into a request, and a decision back."""
