"""API keys: mint, check the checksum, hash. No I/O.

A key is `eg_live_` + 32 base-62 characters (190 bits of randomness) + a 6-character CRC-32 of all before it,
so a mistyped or invented key is refused without any look-up.
"""

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "eg_live_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
SECRET_LENGTH = 32
CHECKSUM_LENGTH = 6
DISPLAY_LENGTH = len(PREFIX) + 6

_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}", re.ASCII)


def mint_key() -> str:
    """A new API key. It is shown once; only its hash is stored."""
    body = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether the key has the form of a key and its checksum is right."""
    return bool(_FORM.fullmatch(key)) and _checksum(key[:-CHECKSUM_LENGTH]) == key[-CHECKSUM_LENGTH:]


def hash_key(key: str) -> bytes:
    """SHA-256, 32 bytes. A slow password hash would add nothing: the key has 190 bits of randomness."""
    return hashlib.sha256(key.encode()).digest()


def display_prefix(key: str) -> str:
    """The beginning of a key that may be shown to tell keys apart."""
    return key[:DISPLAY_LENGTH]


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        value, digit = divmod(value, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
