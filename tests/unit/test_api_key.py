import string

import pytest

from app.core.keys import api_key as keys


def test_a_minted_key_has_the_documented_form_and_passes_its_own_check():
    key = keys.mint_key()
    assert key.startswith("eg_live_")
    assert len(key) == 8 + 32 + 6
    assert set(key[8:]) <= set(string.ascii_letters + string.digits)
    assert keys.is_well_formed(key)


def test_no_two_keys_are_alike():
    assert len({keys.mint_key() for _ in range(1_000)}) == 1_000


def test_every_single_mistyped_character_is_found_by_the_checksum():
    key = keys.mint_key()
    for position in range(len(key)):
        wrong = "x" if key[position] != "x" else "y"
        assert not keys.is_well_formed(key[:position] + wrong + key[position + 1 :])


@pytest.mark.parametrize(
    "key", ["", "eg_live_", "eg_test_" + "a" * 38, "eg_live_" + "a" * 37, "eg_live_" + "é" * 38, "Bearer x"]
)
def test_what_has_not_the_form_of_a_key_is_refused(key):
    assert not keys.is_well_formed(key)


def test_a_key_with_a_line_break_behind_it_is_refused():
    assert not keys.is_well_formed(keys.mint_key() + "\n")


def test_the_hash_is_32_bytes_and_depends_on_every_character():
    key = keys.mint_key()
    assert len(keys.hash_key(key)) == 32
    assert keys.hash_key(key) != keys.hash_key(key[:-1])


def test_the_displayed_prefix_gives_little_of_the_secret_away():
    key = keys.mint_key()
    assert key.startswith(keys.display_prefix(key))
    assert len(keys.display_prefix(key)) == 14
