"""What we write is read by others' programs, and what they write by ours."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stillwatch.evidence.dsse import PAYLOAD_TYPE, envelope, pae, statement
from stillwatch.evidence.keys import public_pem
from stillwatch.evidence.standalone import verify_package as check
from stillwatch.evidence.steps import steps
from stillwatch.evidence.timestamp import request
from tests.evidence import authority
from tests.evidence.packing import ACQUIRER, REVIEWER, seal, small


def test_the_encoding_that_is_signed() -> None:
    """The vector of the DSSE specification; ours and the verifier's agree on any bytes."""
    vector = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == vector
    for body in (b"", b"\x00", "é".encode()):
        assert pae(PAYLOAD_TYPE, body) == check.pae(PAYLOAD_TYPE, body)


def test_securesystemslib_verifies_our_envelope() -> None:
    """Both signatures, and not when a byte of the payload changes."""
    dsse = pytest.importorskip("securesystemslib.dsse", reason="securesystemslib is not installed")
    signer = pytest.importorskip("securesystemslib.signer")
    data = json.loads(envelope(statement({"a": "00"}, {"x": 1}), [ACQUIRER, REVIEWER]))
    keys = [
        signer.SSlibKey(k.key_id, "ed25519", "ed25519", {"public": k.public.hex()})
        for k in (ACQUIRER, REVIEWER)
    ]
    theirs = dsse.Envelope.from_dict(json.loads(json.dumps(data)))
    assert set(theirs.verify(keys, 2)) == {ACQUIRER.key_id, REVIEWER.key_id}
    body = base64.b64decode(data["payload"]).replace(b'"x":1', b'"x":2')
    data["payload"] = base64.b64encode(body).decode()
    with pytest.raises(Exception, match=r"(?i)signature|threshold"):
        dsse.Envelope.from_dict(data).verify(keys, 2)


def test_we_verify_an_envelope_of_securesystemslib() -> None:
    """Signed by their code with the same kind of key."""
    dsse = pytest.importorskip("securesystemslib.dsse", reason="securesystemslib is not installed")
    signer = pytest.importorskip("securesystemslib.signer")
    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    which = hashlib.sha256(raw).hexdigest()
    public = signer.SSlibKey(which, "ed25519", "ed25519", {"public": raw.hex()})
    theirs = dsse.Envelope(statement({"a": "00"}, {}), PAYLOAD_TYPE, {})
    theirs.sign(signer.CryptoSigner(private, public))
    made = theirs.to_dict()
    data = json.dumps({k: made[k] for k in ("payload", "payloadType", "signatures")}).encode()
    body, signers = check.signed_statement(
        data, check.key_list([{"key_id": which, "public": public_pem(raw)}])
    )
    assert (body["predicate"], signers) == ({}, [which])


def test_the_written_steps_work_as_they_are_written(tmp_path: Path) -> None:
    """Every command of VERIFY.md, run by a shell in a package that keeps its promises, and in one that was changed."""
    tsa = authority.make(tmp_path / "tsa")
    folder = tmp_path / "p"
    small(folder, stamp=[lambda data: tsa.reply(request(data, 3))])
    for name, key in (("acquirer", ACQUIRER), ("reviewer", REVIEWER)):
        (tmp_path / f"{name}.pem").write_text(public_pem(key.public))
    (tmp_path / "tsa-root.pem").write_bytes(tsa.root.read_bytes())
    commands = [line.strip()[2:] for line in steps(2, 1).splitlines() if line.strip().startswith("$ ")]
    assert len(commands) == 18

    def run() -> list[str]:
        script = ["set -o pipefail", *(f"({c}) || echo FAILED {n}" for n, c in enumerate(commands))]
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)], cwd=folder, capture_output=True, text=True, check=False
        )
        return [line for line in done.stdout.splitlines() if line.startswith("FAILED")]

    assert run() == []
    body = (folder / "data/exhibits/a.json").read_bytes()
    (folder / "data/exhibits/a.json").write_bytes(body.replace(b"acct-1", b"acct-2"))
    assert run() == ["FAILED 0"]
    (folder / "data/exhibits/a.json").write_bytes(body)
    (folder / "more.txt").write_bytes(b"unsigned")
    seal(folder)
    assert run() == ["FAILED 4"]
    (folder / "more.txt").unlink()
    seal(folder)
    (tmp_path / "reviewer.pem").write_text(public_pem(ACQUIRER.public))
    assert run() == ["FAILED 15"]


def test_the_written_steps_ask_for_a_root_only_where_a_timestamp_is_promised() -> None:
    """Whoever followed them would be refused otherwise."""
    assert "--tsa-root" in steps(1, 2)
    assert "--tsa-root" not in steps(2, 0)


def test_rfc3161_client_agrees_on_a_timestamp(tmp_path: Path) -> None:
    """Their request and ours ask for the same; their verifier accepts what ours does, and refuses other data."""
    theirs = pytest.importorskip("rfc3161_client", reason="rfc3161-client is not installed")
    tsa = authority.make(tmp_path / "tsa")
    answer = tsa.reply(request(b"data", 12345))
    root = x509.load_pem_x509_certificate(tsa.root.read_bytes())
    response = theirs.decode_timestamp_response(answer)
    verifier = theirs.VerifierBuilder().add_root_certificate(root).nonce(12345).build()
    assert verifier.verify_message(response, b"data")
    when, _, chained = check.timestamp(answer, b"data", (root,))
    assert (response.tst_info.gen_time.replace(microsecond=0), True) == (when, chained)
    with pytest.raises(theirs.VerificationError):
        verifier.verify_message(response, b"other")
    with pytest.raises(check.Refused, match="not about this envelope"):
        check.timestamp(answer, b"other", (root,))


def test_a_token_whose_certificates_are_in_no_order(tmp_path: Path) -> None:
    """Strict DER wants a set sorted; some authorities do not, OpenSSL reads them, and so does the verifier."""
    tsa = authority.make(tmp_path / "tsa", chain=True)
    answer = tsa.reply(request(b"data", 5))
    (tmp_path / "data").write_bytes(b"data")
    (tmp_path / "t.tsr").write_bytes(answer)
    told = authority.openssl(
        "ts", "-verify", "-data", tmp_path / "data", "-in", tmp_path / "t.tsr", "-CAfile", tsa.root
    )
    assert "Verification: OK" in told
    roots = tuple(x509.load_pem_x509_certificates(tsa.root.read_bytes()))
    assert check.timestamp(answer, b"data", roots)[2]


def test_bagit_validates_our_bag(tmp_path: Path) -> None:
    """Complete and valid by the Library of Congress's own program, whose header is that of version 1.0."""
    bagit = pytest.importorskip("bagit", reason="bagit is not installed")
    small(tmp_path / "p")
    bag = bagit.Bag(str(tmp_path / "p"))
    bag.validate()
    assert bag.version_info == (1, 0)
    (tmp_path / "p/data/exhibits/a.json").write_bytes(b"{}")
    with pytest.raises(bagit.BagError):
        bagit.Bag(str(tmp_path / "p")).validate()


def test_a_private_key_opens_with_openssl(tmp_path: Path) -> None:
    """PKCS 8, sealed with a passphrase."""
    (tmp_path / "k.pem").write_bytes(ACQUIRER.pem(b"secret"))
    told = authority.openssl("pkey", "-in", tmp_path / "k.pem", "-passin", "pass:secret", "-pubout")
    assert public_pem(ACQUIRER.public).strip() in told
