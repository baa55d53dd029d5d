"""Certificates made and read with the `cryptography` package, which only `partisan certs` needs."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from partisan_actors.errors import ConfigError
from partisan_actors.node.tls import CA_FILE, CERT_FILE, KEY_FILE

__all__ = ["CA_KEY_FILE", "Facts", "facts_of", "issue", "make_ca"]

CA_KEY_FILE: Final = "ca.key"
# Clocks differ: a certificate is valid from a little before it was made.
BACKDATED: Final = timedelta(minutes=5)

_PublicKey = ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says. Times are UTC; `problem` says why it is of no use today, empty when it is."""

    path: str
    names: tuple[str, ...]
    issuer: str
    starts: datetime
    ends: datetime
    fingerprint: str
    is_ca: bool
    problem: str

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "path": self.path,
            "names": list(self.names),
            "issuer": self.issuer,
            "starts": self.starts.isoformat(),
            "ends": self.ends.isoformat(),
            "sha256": self.fingerprint,
            "is_ca": self.is_ca,
            "problem": self.problem,
        }


def make_ca(directory: Path, title: str, days: int) -> None:
    """Make a CA: CA_FILE and CA_KEY_FILE. Raises ConfigError when there is one."""
    for name in (CA_FILE, CA_KEY_FILE):
        if (directory / name).exists():
            raise ConfigError(
                "directory", str(directory), f"one without {name}: `partisan certs issue` uses what is there"
            )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    usage = {"key_cert_sign": True, "crl_sign": True}
    certificate = (
        _builder(subject, subject, key.public_key(), key.public_key(), days, None)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(**usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(directory / CA_KEY_FILE, _pem_of_key(key), 0o600)
    _write(directory / CA_FILE, certificate.public_bytes(Encoding.PEM), 0o644)


def issue(
    ca_directory: Path,
    directory: Path,
    title: str,
    uris: Sequence[str],
    days: int,
    now: datetime | None = None,
    hosts: Sequence[str] = (),
) -> None:
    """Make KEY_FILE and CERT_FILE for the nodes of these URIs, with CA_FILE beside them; former ones are replaced.

    It is valid for `days` from `now`. `hosts` are names and addresses that browsers call a dashboard of theirs by.

    Raises ConfigError when the CA cannot be used.
    """
    ca, ca_key = _read_ca(ca_directory)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title[:64])])
    names = x509.SubjectAlternativeName([*(x509.UniformResourceIdentifier(uri) for uri in uris), *map(_host, hosts)])
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = (
        _builder(subject, ca.subject, key.public_key(), ca_key.public_key(), days, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(names, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The key first: a node that looks in between finds a key that does not fit, and looks again when the rest is here.
    _write(directory / KEY_FILE, _pem_of_key(key), 0o600)
    _write(directory / CERT_FILE, certificate.public_bytes(Encoding.PEM), 0o644)
    _write(directory / CA_FILE, ca.public_bytes(Encoding.PEM), 0o644)


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        return x509.DNSName(text)
    except ValueError as error:
        raise ConfigError("host", text, "a name or an address by which browsers call a dashboard") from error


def facts_of(path: Path, now: datetime | None = None) -> Facts:
    """What the first certificate of a PEM file says. Raises ConfigError."""
    certificate = _read_certificate(path)
    now = now or datetime.now(UTC)
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(alternative.get_values_for_type(x509.UniformResourceIdentifier))
    except x509.ExtensionNotFound:
        names = ()
    problem = "it has expired" if now > ends else "it is not valid yet" if now < starts else ""
    return Facts(
        str(path),
        names,
        certificate.issuer.rfc4514_string(),
        starts,
        ends,
        certificate.fingerprint(hashes.SHA256()).hex(":"),
        _is_ca(certificate),
        problem,
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: _PublicKey,
    issuer_public: _PublicKey,
    days: int,
    now: datetime | None,
) -> x509.CertificateBuilder:
    now = now or datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
    )


def _key_usage(**used: bool) -> x509.KeyUsage:
    purposes = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{purpose: used.get(purpose, False) for purpose in purposes})


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no certificate"
        raise ConfigError("certificate", str(path), f"a certificate as PEM ({why})") from error


def _read_ca(directory: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate = _read_certificate(directory / CA_FILE)
    path = directory / CA_KEY_FILE
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no key, or an encrypted one"
        raise ConfigError("CA key", str(path), f"the private key of the CA as PEM ({why})") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ConfigError("CA key", str(path), f"the private key of {CA_FILE}, on an elliptic curve")
    return certificate, key


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, data: bytes, mode: int) -> None:
    """Replace the file as a whole; at no time can anybody else read more of it than `mode` says."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError("file", str(path), f"one that can be written ({error.strerror})") from error
