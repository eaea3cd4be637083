"""Certificates that must be refused: of another authority, or expired."""

from __future__ import annotations

import datetime

from conftest import Deployment
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A certificate authority of nobody's."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, signed(name, key, name, key, days=(-1, 10), ca=True)


def signed(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str | x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    days: tuple[int, int],
    ca: bool = False,
) -> x509.Certificate:
    """A certificate that is valid from one day to another, counted from now."""
    now = datetime.datetime.now(datetime.UTC)
    names = issuer if isinstance(issuer, x509.Name) else common_name(issuer)
    return (
        x509.CertificateBuilder()
        .subject_name(common_name(subject))
        .issuer_name(names)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def client_pem(deployment: Deployment, *, expired: bool) -> str:
    """Key and certificate of a broker that is none: one that ended yesterday, or one of another authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    if expired:
        path = f"/{deployment.facts['deployment']}/ca/"
        ssm = deployment.client("ssm")
        known = {
            name: ssm.get_parameter(Name=path + name, WithDecryption=True)["Parameter"]["Value"].encode()
            for name in ("private-key", "certificates")
        }
        issuer_key = serialization.load_pem_private_key(known["private-key"], None)
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
        issuer = x509.load_pem_x509_certificates(known["certificates"])[0].subject
        certificate = signed("kafka", key, issuer, issuer_key, days=(-10, -1))
    else:
        other_key, other = authority("foreign")
        certificate = signed("kafka", key, other.subject, other_key, days=(-1, 10))
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (private + certificate.public_bytes(pem)).decode()
