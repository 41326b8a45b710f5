from pathlib import Path

import pytest

from app.local.announcement import announcement
from app.local.first_access import FirstAccess


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://analytics.example.org"])
def test_every_address_that_a_newcomer_sees_begins_with_the_one_of_the_service(url: str):
    text = announcement(url, FirstAccess("eg_live_x", "a@example.com", "password"), Path("data"))
    addresses = [word for word in text.split() if "://" in word]
    assert len(addresses) > 6
    assert all(address.startswith(url) for address in addresses)
