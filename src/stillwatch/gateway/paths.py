"""What a request's path says: the operation, and the model where the path names it.

>>> operation_of("/v1/chat/completions"), operation_of("/api/v1beta/models/m:streamGenerateContent?alt=sse")
('chat', 'chat')
>>> operation_of("/v1/completions"), operation_of("/metrics"), model_of("/v1beta/models/m-1:generateContent?x=/y:z")
('completion', 'other', 'm-1')
>>> operation_of("/v1/audio/transcriptions")
'audio'

Servers read percent-encoded letters as the letters they stand for, and so does this; what is encoded in a model's name
belongs to it:

>>> operation_of("/v1/chat/completion%73"), operation_of("/v1/chat%2Fcompletions/"), operation_of("/v1/%ff")
('chat', 'chat', 'other')
>>> model_of("/v1/models/org%2Fm-1:generateContent"), model_of("/v1/mode%6cs/m-1:generateContent")
('org/m-1', 'm-1')
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_OPERATIONS = (
    ("/chat/completions", "chat"), ("/messages", "chat"), (":generatecontent", "chat"),
    (":streamgeneratecontent", "chat"), ("/converse", "chat"), ("/converse-stream", "chat"), ("/chat", "chat"),
    ("/completions", "completion"), ("/complete", "completion"), ("/generate", "completion"),
    ("/responses", "responses"), ("/embeddings", "embedding"), ("/embed", "embedding"), (":embedcontent", "embedding"),
)  # fmt: skip
_FOLDERS = (("/audio/", "audio"), ("/images/", "image"))
CALLS = frozenset(word for _, word in _OPERATIONS)
"""Operations whose body is a JSON object; what cannot be read as one is no call that a server would answer."""
WRITES = frozenset({"chat", "completion", "responses"})
"""Operations in which a model writes text, and a mark can be written into it."""
_SLASH = re.compile("%2f", re.IGNORECASE)
_MODEL = re.compile(r"/models?/([^/:?]{1,256})[:/]")


def operation_of(path: str) -> str:
    """The contract's word for what a path does; ``other`` when it is not known."""
    plain = unquote(_plain(path)).rstrip("/").lower()
    for ending, word in _OPERATIONS:
        if plain.endswith(ending):
            return word
    return next((word for folder, word in _FOLDERS if folder in plain), "other")


def model_of(path: str) -> str:
    """The model that a path names; empty when it names none."""
    plain = _plain(path)
    kept = unquote(_SLASH.sub("%252F", plain))
    found = _MODEL.search(kept) or _MODEL.search(unquote(plain))
    return unquote(found.group(1)) if found else ""


def _plain(path: str) -> str:
    return path.partition("?")[0][:2048].rstrip("/")
