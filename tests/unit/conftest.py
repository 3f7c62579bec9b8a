"""What tests of several files here start from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.house import open_house
from tests.served import Served


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """The REST API on a small house."""
    served = Served(open_house(tmp_path))
    yield served
    await served.client.aclose()
    served.house.database.close()
