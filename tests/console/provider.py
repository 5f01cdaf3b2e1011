"""A small OpenID Connect provider, run as a process of its own: code flow with PKCE, signed identity tokens.

    python tests/console/provider.py      # prints its address, serves until its input ends

Who signs in next, and what goes wrong, is said to it: POST /next with JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "stillwatch", "a secret of the client"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
NEW = RSAKey.generate_key(2048, {"kid": "two", "use": "sig", "alg": "RS256"})
OTHER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
ASKED = {"keys": 0}
NEXT: dict[str, Any] = {}
CODES: dict[str, dict[str, str]] = {}


class Handler(BaseHTTPRequestHandler):
    """Discovery, authorisation, token, keys."""

    server: ThreadingHTTPServer

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    @property
    def base(self) -> str:
        """Our address."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {k: v[0] for k, v in parse_qs(url.query).items()}
        if url.path == "/.well-known/openid-configuration":
            self._json({
                "issuer": self.base, "authorization_endpoint": f"{self.base}/authorize",
                "token_endpoint": f"{self.base}/token", "jwks_uri": f"{self.base}/keys",
            })  # fmt: skip
        elif url.path == "/keys":
            ASKED["keys"] += 1
            turned = NEXT.get("key") == "two"
            self._json({"keys": [k.as_dict(private=False) for k in ([KEY, NEW] if turned else [KEY])]})
        elif url.path == "/asked":
            self._json(ASKED)
        elif (
            url.path == "/authorize"
            and asked.get("client_id") == CLIENT
            and asked["code_challenge_method"] == "S256"
        ):
            code = secrets.token_urlsafe(16)
            CODES[code] = asked
            self.send_response(302)
            self.send_header(
                "location", asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]})
            )
            self.end_headers()
        else:
            self._json({"error": "invalid_request"}, 400)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/next":
            NEXT.clear()
            NEXT.update(json.loads(body))
            self._json({})
            return
        told = {k: v[0] for k, v in parse_qs(body.decode()).items()}
        asked = CODES.pop(told.get("code", ""), None)  # each code is good once
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(told.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or self.headers.get("authorization") != f"Basic {basic}"
            or told.get("redirect_uri") != asked["redirect_uri"]
            or challenge.rstrip(b"=").decode() != asked["code_challenge"]
        ):
            self._json({"error": "invalid_grant"}, 400)
            return
        now = int(NEXT.get("at", time.time()))
        claims = {
            "iss": self.base, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            **NEXT.get("claims", {}),
        }  # fmt: skip
        kid = NEXT.get("key", "one")
        key = OTHER if NEXT.get("forged") else KEY if kid == "one" else NEW
        token = jwt.encode({"alg": "RS256", "kid": kid}, claims, key)
        self._json({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _json(self, value: Any, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    """Serve until standard input ends, so that no provider outlives its test."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
