"""What a gate does with the digest key: challenges of ``verify``, and envelopes around issued reasoning blocks."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.protect import challenge, envelope
from stillwatch.records import Decision, Request

_HINT = "open the gate with a secret"


class Keys:
    """Keys derived from the digest key; without one, what needs them raises `ConfigError`."""

    def __init__(self, secret: bytes | None) -> None:
        self._challenges = challenge.derive_key(secret) if secret else None
        self._envelopes = envelope.keyring(secret) if secret else {}

    def challenged(self, decision: Decision, at: float) -> Decision:
        """A decision that verifies, with the challenge that the customer takes to the operator's own flow."""
        key = self._of_challenges("verify needs the digest key")
        made = challenge.make(decision.account_id, decision.terms.level or "none", key, at)
        url = (decision.terms.url or "").replace("{challenge}", made)
        return replace(decision, challenge=made, terms=replace(decision.terms, url=url))

    def answered(self, told: str, at: float) -> tuple[str, str]:
        """Account and level of a challenge that was handed back. Raises `VerificationError` when it is not ours."""
        return challenge.check(told, self._of_challenges("challenges need the digest key"), at)

    def wrap(self, block: str, request: Request, at: float) -> str:
        """An issued block in an envelope bound to account, conversation and model."""
        if not self._envelopes:
            raise ConfigError("envelopes need the digest key", hint=_HINT)
        return envelope.wrap(block, request, self._envelopes, next(iter(self._envelopes)), at)

    def unwrap(self, blocks: list[str], request: Request) -> tuple[list[str | None], Request]:
        """Blocks as they were issued, None where one cannot be opened, and the request with what envelopes say."""
        out: list[str | None] = []
        differing = set(request.sealed_differing)
        for block in blocks:
            if not envelope.is_wrapped(block):
                out.append(block)
                continue
            try:
                opened = envelope.unwrap_all(block, request, self._envelopes)
            except envelope.UnknownKey:
                out.append(None)
            except (VerificationError, ValueError):
                out.append(None)
                differing.add("seal")
            else:
                out.append(opened.block)
                differing.update(opened.differing)
        return out, replace(request, sealed_differing=tuple(sorted(differing)))

    def _of_challenges(self, problem: str) -> bytes:
        if self._challenges is None:
            raise ConfigError(problem, hint=_HINT)
        return self._challenges
