"""A timestamping authority made with OpenSSL, for tests: a root, a certificate for timestamps, and answers."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

_CONFIG = """
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[other]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,serverAuth
[sign]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
{chain}signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.55555.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True)
class Authority:
    """One authority in a folder."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def reply(self, query: bytes) -> bytes:
        """The answer to a request."""
        ask, answer = self.folder / "ask.tsq", self.folder / "answer.tsr"
        ask.write_bytes(query)
        openssl(
            "ts",
            "-reply",
            "-config",
            self.folder / "c.cnf",
            "-section",
            "sign",
            "-queryfile",
            ask,
            "-out",
            answer,
        )
        return answer.read_bytes()


def openssl(*arguments: object) -> str:
    """Run OpenSSL; skip where there is none."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def make(folder: Path, *, kind: str = "rsa:2048", usage: str = "tsa", chain: bool = False) -> Authority:
    """Make an authority; with ``chain`` its answers carry the root as well, in no order."""
    folder.mkdir(parents=True)
    (folder / "c.cnf").write_text(
        _CONFIG.format(folder=folder, chain=f"certs = {folder}/root.pem\n" if chain else "")
    )
    (folder / "serial").write_text("01\n")
    key = (
        ["-newkey", kind]
        if kind.startswith("rsa")
        else ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{kind}"]
    )
    common = ["-nodes", "-config", folder / "c.cnf"]
    openssl("req", "-x509", *key, *common, "-days", 30, "-subj", "/CN=Test root", "-extensions", "root",
            "-keyout", folder / "root.key", "-out", folder / "root.pem")  # fmt: skip
    openssl(
        "req",
        *key,
        *common,
        "-subj",
        "/CN=Test authority",
        "-keyout",
        folder / "tsa.key",
        "-out",
        folder / "tsa.csr",
    )
    openssl("x509", "-req", "-in", folder / "tsa.csr", "-CA", folder / "root.pem", "-CAkey", folder / "root.key",
            "-set_serial", 7, "-days", 20, "-extfile", folder / "c.cnf", "-extensions", usage,
            "-out", folder / "tsa.pem")  # fmt: skip
    return Authority(folder)


@contextmanager
def served(answer: object) -> Iterator[str]:
    """An HTTP server on a free port that answers each POST with ``answer(path, body)``: status and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, data = answer(self.path, body)  # type: ignore[operator]
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
