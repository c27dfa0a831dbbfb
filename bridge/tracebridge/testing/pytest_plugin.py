"""Fixtures for programs that trace; pytest finds them by itself where tracebridge is installed. What they need is imported when one is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tracebridge.client import Client


@pytest.fixture
def tracebridge_client() -> Iterator[Client]:
    """Give a client whose spans stay in memory (`tracebridge.testing.records` reads them), closed after the test."""
    from tracebridge.testing.client import memory_client

    with memory_client() as client:
        yield client


@pytest.fixture
def tracebridge_ids() -> Iterator[None]:
    """Make the IDs of a test 1, 2, 3, …."""
    from tracebridge.testing.doubles import counting_ids

    with counting_ids():
        yield
