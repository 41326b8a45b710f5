"""Email and password, checked, with a count of attempts.

Failed attempts are counted by account and by address; beyond the limit the answer is a 429 whether or not the password
is right. A browser with which the user has signed in before has a count of its own, so that nobody can lock another
person out by guessing.
"""

import hashlib
from dataclasses import replace

from flask import request
from limits import RateLimitItem, RateLimitItemPerMinute

from app.core.accounts.passwords import hash_password, is_password, needs_new_hash
from app.core.accounts.sessions import note_failed_sign_in, note_sign_in_of_nobody
from app.core.accounts.users import is_email
from app.core.queries.users import StoredUser, replace_password_hash, select_user
from app.web.auth import network_of
from app.web.pages.access.browser_session import known_device
from app.web.pages.access.rate_limit import charge
from app.web.services import ask_database, services
from app.web.threads import run_in_thread

ATTEMPTS_ON_AN_ACCOUNT = RateLimitItemPerMinute(10, 10)
ATTEMPTS_FROM_AN_ADDRESS = RateLimitItemPerMinute(20)
TOO_MANY = (
    "Too many attempts to sign in",
    "Wait some minutes and try again. A browser that you have signed in with before is let through.",
)

_Count = tuple[RateLimitItem, str, str]


def checked_user(email: str, password: str) -> StoredUser | None:
    """The user, if email and password are right, with the hash that is stored now; the audit log has what failed.

    Takes as long for an unknown and for a disabled user as for a wrong password.
    """
    user = ask_database(select_user, email) if is_email(email) else None
    attempt = _counts(user, email)
    # before the password is looked at, so that a 429 says nothing about it
    for count in attempt:
        charge(*count, words=TOO_MANY)
    password_hash = None if user is None or user.is_disabled else user.password_hash
    if not run_in_thread(lambda: is_password(password, password_hash)):
        if user is None:
            ask_database(note_sign_in_of_nobody, network_of(request.remote_addr))
        else:
            ask_database(note_failed_sign_in, user, request.remote_addr)
        return None
    assert user is not None
    assert password_hash is not None
    for count in attempt:
        services().limits.give_back(*count)
    return replace(user, password_hash=_as_strong_as_today(user.user_id, password_hash, password))


def _as_strong_as_today(user_id: int, password_hash: str, password: str) -> str:
    """The hash that is stored now, which is another one where the parameters have changed."""
    if not needs_new_hash(password_hash):
        return password_hash
    stronger = run_in_thread(lambda: hash_password(password))
    ask_database(replace_password_hash, user_id, password_hash, stronger)
    return stronger


def _counts(user: StoredUser | None, email: str) -> list[_Count]:
    device = None if user is None else known_device(user.user_id)
    if user is not None and device is not None:
        return [(ATTEMPTS_ON_AN_ACCOUNT, "sign-in-device", f"{user.user_id}-{device}")]
    account = hashlib.sha256(email.casefold().encode(errors="replace")).hexdigest() if user is None else user.user_id
    return [
        (ATTEMPTS_FROM_AN_ADDRESS, "sign-in-address", network_of(request.remote_addr)),
        (ATTEMPTS_ON_AN_ACCOUNT, "sign-in-account", str(account)),
    ]
