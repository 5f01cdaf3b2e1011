"""Doors for live requests: thin adapters between HTTP and the gate of :mod:`stillwatch.wiring.policy`.

``service`` answers proxies that ask (nginx, LiteLLM); ``asgi`` stands inside a Python server. Both take the account
from whom they trust (``identity``), read bodies within bounds (``body``) and put a decision into HTTP (``told``).
``envoy`` speaks with Envoy's external processing. No door raises into a customer's request, and none logs or shows
what a customer wrote.
"""
