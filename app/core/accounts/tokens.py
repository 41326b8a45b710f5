"""Random tokens of which only the hash is stored: session ids and sign-in links."""

import hashlib
import secrets

TOKEN_BYTES = 32


def new_token() -> str:
    """256 random bits, fit for a URL and a cookie."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> bytes:
    """SHA-256, 32 bytes; nobody can guess a token, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
