"""The fake filter and the client's view of a stream, shared with the golden transcripts."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "golden" / "transcript.py"


@pytest.fixture(scope="session")
def transcript():
    spec = importlib.util.spec_from_file_location("exchange_transcript", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fake(transcript):
    return transcript.FakeFilter()
