"""A local server that speaks S3, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

NEEDS = ("s3fs", "moto", "flask")
SERVE = """
import logging
from moto.server import ThreadedMotoServer
logging.disable(logging.CRITICAL)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
import sys
sys.stdin.read()
"""


def missing() -> str | None:
    """What is not installed, as a reason to skip."""
    for name in NEEDS:
        if find_spec(name) is None:
            return f"{name} is not installed (extra s3, and moto[server])"
    return None


@contextmanager
def served(bucket: str) -> Iterator[dict[str, str]]:
    """The environment of a client of a fresh server that holds one empty bucket."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        endpoint = f"http://127.0.0.1:{port}"
        _until_it_answers(endpoint)
        _call(f"{endpoint}/{bucket}", "PUT")
        yield {
            "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
        }  # fmt: skip
    finally:
        process.kill()
        process.communicate()


def _until_it_answers(endpoint: str) -> None:
    for _ in range(300):
        try:
            _call(endpoint, "GET")
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


def _call(address: str, method: str) -> None:
    urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=60).close()  # noqa: S310
