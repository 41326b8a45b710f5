"""What tests of the body share."""

from collections.abc import Iterator

import pytest

from tests.raw_http import RawConnection


@pytest.fixture
def connection(web: str) -> Iterator[RawConnection]:
    with RawConnection(web) as connection:
        yield connection
