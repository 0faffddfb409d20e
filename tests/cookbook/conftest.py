"""Shared by the tests of where the money goes."""

import uuid

import pytest


@pytest.fixture
def unique_model() -> str:
    """A model that no other test has."""
    return f"model-{uuid.uuid4().hex}"
