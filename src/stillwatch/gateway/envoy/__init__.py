"""Envoy's external processing (`ext_proc` v3, gRPC): every model call is decided on before it leaves the proxy.

Read :mod:`stillwatch.gateway.envoy.call` first: one HTTP call, message by message. Around it are the server, the
account (:mod:`.accounts`), the body (:mod:`.bodies`), the answer (:mod:`.answer`) and what is said on the wire
(:mod:`.messages`, :mod:`.replies`).
"""
