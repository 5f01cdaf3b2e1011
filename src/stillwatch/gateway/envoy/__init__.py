"""Envoy's external processing (`ext_proc` v3, gRPC): every model call is decided on before it leaves the proxy.

Read :mod:`stillwatch.gateway.envoy.call` first: one HTTP call, message by message. Around it are the server, what is
said on the wire (:mod:`.messages`, :mod:`.replies`). Account, body, answer and what customers are told are those of
every other gateway.
"""
