"""What must be readable again but not in a dump of the database: encrypted with a key that comes from SECRET_KEY.

The library comes in where something is sealed or opened: it costs 7 MB, which most processes never need.
"""

import hashlib
import os

from app.core.errors import SealBroken

NONCE_BYTES = 12
ADDRESS = "webhook address"
SECRET = "webhook secret"  # noqa: S105 - a purpose


def sealing_key(secret_key: str) -> bytes:
    """32 bytes for this purpose alone."""
    return hashlib.blake2b(secret_key.encode(), digest_size=32, person=b"webhooks").digest()


def seal(key: bytes, text: str, *, purpose: str, project_id: int) -> bytes:
    """Encrypted by AES-256-GCM under a random nonce, and of use for this purpose in this project only."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - see the module's docstring

    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text.encode(), _bound_to(purpose, project_id))


def open_sealed(key: bytes, sealed: bytes, *, purpose: str, project_id: int) -> str:
    """Raises SealBroken where it was sealed with another SECRET_KEY, or for something else, or was changed."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see the module's docstring
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - the same

    nonce, encrypted = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, encrypted, _bound_to(purpose, project_id)).decode()
    except (InvalidTag, ValueError) as error:
        raise SealBroken(f"the {purpose} cannot be read: SECRET_KEY is not the one with which it was stored") from error


def _bound_to(purpose: str, project_id: int) -> bytes:
    return f"{purpose} of project {project_id}".encode()
