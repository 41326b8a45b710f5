"""Passwords: the rules, argon2id hashes, and the check. A hash takes some 150 ms: never on the event loop."""

import functools
import secrets

import argon2

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD_BYTES = 1_024
MADE_PASSWORD_BYTES = 18

_hasher = argon2.PasswordHasher()


def password_problem(password: str) -> str | None:
    """What is wrong with a new password, for the person who chose it; None where nothing is."""
    if len(password) < SHORTEST_PASSWORD:
        return f"Use at least {SHORTEST_PASSWORD} characters. A few random words are fine."
    if len(_bytes(password)) > LONGEST_PASSWORD_BYTES:
        return f"Use at most {LONGEST_PASSWORD_BYTES:,} bytes."
    return None


def make_password() -> str:
    return secrets.token_urlsafe(MADE_PASSWORD_BYTES)


def hash_password(password: str) -> str:
    """The argon2id hash, with its own salt and parameters in it."""
    return _hasher.hash(_bytes(password))


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether the password is the one of the hash.

    Takes the same time where there is no hash (an unknown user, or one without a password) and where the password is
    longer than any can be: a hash is computed all the same.
    """
    too_long = len(_bytes(password)) > LONGEST_PASSWORD_BYTES
    stand_in = _hash_of_nothing()
    try:
        _hasher.verify(password_hash or stand_in, b"" if too_long else _bytes(password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return password_hash is not None and not too_long


def needs_new_hash(password_hash: str) -> bool:
    """Whether the hash was made with parameters that are no longer those of today."""
    return _hasher.check_needs_rehash(password_hash)


def _bytes(password: str) -> bytes:
    # a lone surrogate, which no form can send, must not be an error
    return password.encode(errors="surrogatepass")


@functools.cache
def _hash_of_nothing() -> str:
    return hash_password(secrets.token_urlsafe())
