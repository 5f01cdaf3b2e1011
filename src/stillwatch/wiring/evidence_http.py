"""The only connections that evidence opens: to the authorities and witnesses that the settings name."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from stillwatch.errors import UpstreamError

TIMEOUT_S = 20
MOST_BYTES = 1 << 20


class _Stay(urllib.request.HTTPRedirectHandler):
    """An authority that sends us elsewhere is not followed."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


def post(url: str, body: bytes, content_type: str) -> tuple[int, bytes]:
    """Status and body of an answer.

    Raises:
        UpstreamError: nobody answered, or with too much.
    """
    request = urllib.request.Request(url, body, {"Content-Type": content_type}, method="POST")  # noqa: S310
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=TIMEOUT_S) as answer:
            return answer.status, _bounded(answer, url)
    except urllib.error.HTTPError as error:
        return error.code, error.read(MOST_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise UpstreamError(
            f"{url} does not answer ({type(error).__name__})",
            hint="check the address, the network, and try again",
        ) from error


def _bounded(answer: http.client.HTTPResponse, url: str) -> bytes:
    data: bytes = answer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UpstreamError(f"{url} answers with too much", hint="is this the right address?")
    return data
