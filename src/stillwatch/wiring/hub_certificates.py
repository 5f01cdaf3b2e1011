"""Certificates for a demonstration on this machine: an authority that nobody else believes, and one for each server."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stillwatch.wiring.progress import write_private


def demo_certificates(folder: Path, names: list[str]) -> Path:
    """Write ``ca.pem`` and, for each server, ``NAME.pem`` with ``NAME.key``, good for a day; the authority's file.

    The authority's private key is not kept.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import NameOID

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    now, ends = datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC) + timedelta(days=1)
    authority, issuer = generate_private_key(SECP256R1()), named("Demonstration authority")
    own = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    for name in ("ca", *names):
        is_ca = name == "ca"
        key = authority if is_ca else generate_private_key(SECP256R1())
        made = (
            x509.CertificateBuilder(issuer, issuer if is_ca else named(name), key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False
            )
            .add_extension(_usage(is_ca), critical=True)
        )
        if not is_ca:
            here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            made = made.add_extension(x509.SubjectAlternativeName([here]), critical=False)
            write_private(
                folder / f"{name}.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            )
        signed = made.sign(authority, SHA256())
        (folder / f"{name}.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    return folder / "ca.pem"


def _usage(is_ca: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not is_ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=is_ca, crl_sign=is_ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip


__all__ = ["demo_certificates"]
