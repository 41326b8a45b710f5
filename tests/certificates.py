"""Certificates of a server, and of an authority that only a test trusts."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chaos.proxy import Proxy


def tls_of(host: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server with this name needs, and the certificate that whoever is to trust it must know."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate_path, key_path)
    return server, certificate_path


@dataclass(frozen=True)
class RedisOverTls:
    """A Redis whose certificate is of its own making, as hosted ones have; `certificate` is what there is to trust."""

    url: str
    certificate: Path


@contextmanager
def redis_over_tls(
    redis_port: int, folder: Path, *, certified_host: str = "localhost", password: str = ""
) -> Iterator[RedisOverTls]:
    """The plain Redis of this port, behind TLS; not every Redis that tests find was built with it."""
    tls, certificate = tls_of(certified_host, folder)
    with Proxy(redis_port, tls=tls) as proxy:
        yield RedisOverTls(f"rediss://:{password}@localhost:{proxy.port}/0", certificate)
