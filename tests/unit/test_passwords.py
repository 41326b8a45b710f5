import time

import argon2

from app.core.accounts.passwords import hash_password, is_password, make_password, needs_new_hash, password_problem


def test_the_rules_are_about_length_alone():
    assert password_problem("x" * 11) is not None
    assert password_problem("            ") is None
    assert password_problem("x" * 1_024) is None
    assert password_problem("é" * 513) is not None
    assert password_problem(make_password()) is None


def test_a_password_is_the_one_of_its_hash_and_no_other_is():
    password_hash = hash_password("pässword of mine")
    assert password_hash.startswith("$argon2id$")
    assert is_password("pässword of mine", password_hash)
    assert not is_password("pässword of mine ", password_hash)
    assert not is_password("x" * 2_000, password_hash)


def test_without_a_hash_or_with_a_broken_one_no_password_is_right():
    for password in ("", "x", "\udc80"):
        assert not is_password(password, None)
        assert not is_password(password, "broken")


def test_an_unknown_user_takes_as_long_as_a_wrong_password():
    password_hash = hash_password("a password")
    is_password("warms up", None)

    def shortest(stored: str | None) -> float:
        times = []
        for _ in range(5):
            begun = time.process_time()
            is_password("wrong", stored)
            times.append(time.process_time() - begun)
        return min(times)

    assert 0.5 < shortest(password_hash) / shortest(None) < 2


def test_a_hash_of_weaker_parameters_is_to_be_made_anew():
    assert needs_new_hash(argon2.PasswordHasher(time_cost=1, memory_cost=8_192).hash("x"))
    assert not needs_new_hash(hash_password("x"))
