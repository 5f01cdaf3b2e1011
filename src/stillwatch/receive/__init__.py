"""The HTTP door: OTLP and LiteLLM requests in, one answer to each, and nothing said before it is durable."""

from stillwatch.receive.app import Door, make_app
from stillwatch.receive.budget import Budget
from stillwatch.receive.metrics import Metrics
from stillwatch.receive.post import Denied, Post, Sink, Taken
from stillwatch.receive.server import serve

__all__ = ["Budget", "Denied", "Door", "Metrics", "Post", "Sink", "Taken", "make_app", "serve"]
