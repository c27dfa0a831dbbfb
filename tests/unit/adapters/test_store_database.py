"""The store's file where it cannot be written: it can still be read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.cases import Build
from tracebridge.errors import Misconfigured
from tracebridge_adapters.store_database import StoreDatabase, encode

NOBODY = 65534


@contextmanager
def nobody() -> Iterator[None]:
    """Be somebody whom permissions hold back, who the superuser is not."""
    before = os.geteuid()
    if before:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, which pytest's own is not."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def database(path: Path) -> StoreDatabase:
    """A store's file."""
    return StoreDatabase(str(path), "store", max_age_s=0, max_traces=0)


@pytest.mark.parametrize("folder_mode", [0o755, 0o555], ids=["in a folder", "in a folder that cannot be written"])
def test_a_file_that_cannot_be_written_can_be_read_again_and_again(folder, folder_mode):
    """Its folder may be out of reach too; nothing is left beside it."""
    path = folder / "spans.db"
    record = Build("store").span("s", custom_trace_id="job-1")
    writer = database(path)
    writer.write(encode([record]))
    writer.close()
    path.chmod(0o444)
    folder.chmod(folder_mode)
    with nobody():
        for _ in range(2):
            reader = database(path)
            assert [record.trace_id] == reader.find("job-1")
            assert [record] == reader.get(record.trace_id)
            reader.close()
    assert [file.name for file in folder.iterdir()] == ["spans.db"]


def test_a_writer_that_could_only_read_writes_once_it_may(folder):
    """Until then it says what is wrong, as for any file out of reach."""
    path = folder / "spans.db"
    first, second = Build("one").span("s"), Build("two").span("s")
    writer = database(path)
    writer.write(encode([first]))
    writer.close()
    path.chmod(0o444)
    folder.chmod(0o777)
    kept = database(path)
    with nobody():
        assert [first] == kept.get(first.trace_id)
        with pytest.raises(Misconfigured, match="Permission denied; is the folder there, and writable"):
            kept.write(encode([second]))
        assert [first] == kept.get(first.trace_id)
    path.chmod(0o666)
    with nobody():
        kept.write(encode([second]))
        assert [second] == kept.get(second.trace_id)
        kept.close()
    assert [file.name for file in folder.iterdir()] == ["spans.db"]


def test_a_file_that_others_write_is_read_as_it_is_now(folder):
    """With what is still in their log."""
    path = folder / "spans.db"
    record = Build("store").span("s")
    writer = database(path)
    writer.write(encode([record]))
    for file in folder.iterdir():
        file.chmod(0o444)
    reader = database(path)
    with nobody():
        assert [record] == reader.get(record.trace_id)
    again = Build("again").span("s")
    writer.write(encode([again]))
    with nobody():
        assert [again] == reader.get(again.trace_id)
    writer.close()
    with nobody():
        assert [again] == reader.get(again.trace_id)


def test_a_file_that_cannot_be_read_either_is_told(folder):
    """Nobody else's business."""
    path = folder / "spans.db"
    writer = database(path)
    writer.write(encode([Build("store").span("s")]))
    writer.close()
    reader = database(path)
    with nobody() if not os.geteuid() else path_locked(path), pytest.raises(Misconfigured, match="Permission denied"):
        reader.get(b"t" * 16)


@contextmanager
def path_locked(path: Path) -> Iterator[None]:
    """One's own file is out of reach only without any permission."""
    path.chmod(0)
    yield
    path.chmod(0o600)
