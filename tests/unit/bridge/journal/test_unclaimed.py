"""What is owed to adapters that a configuration does not name: it waits, and goes by hand or by a bound that somebody has set."""

from __future__ import annotations

import itertools
import struct
import time
import zlib
from collections import Counter
from hashlib import blake2b
from pathlib import Path

import pytest

from support.journals import Life, record
from tracebridge.journal.adoption import Left, read_folder
from tracebridge.journal.base import decode_record
from tracebridge.journal.folder import Folder, bytes_in, folders
from tracebridge.journal.maintenance import DROPPED_DIRECTORY, DirectoryBounds, Maintainer
from tracebridge.journal.unclaimed import Bounds, drop, give_back, move

THREE = ("zipkin", "store", "kafka")
SUBSETS = [names for size in range(4) for names in itertools.combinations(THREE, size)]


def maintainer(life: Life, bounds: DirectoryBounds | None = None) -> Maintainer:
    """The maintainer of a life's journal, looked after by hand."""
    return Maintainer(life.journal, sync=False, numbers=lambda: b"{}", bounds=bounds)


def left_behind(
    directory: Path, *numbers: int, opened: tuple[int, ...] = (), names: tuple[str, ...], **more: int
) -> None:
    """What a process leaves that ended and opened these spans and died."""
    life = Life(directory, names=names, **more)
    life.start(*opened)
    life.append(*numbers)
    life.die()


def take_all(life: Life) -> dict[str, list[int]]:
    """Adopt what was left, and deliver all that is owed."""
    kept = maintainer(life)
    kept.look()
    got = {name: life.take(name) for name in life.cursors}
    kept.look()  # what was given back is looked at again
    return got


def taken(path: Path) -> Left:
    """A dead process's folder, read to be changed."""
    folder = Folder.take(path)
    assert folder is not None
    return read_folder(folder, (), always=True)


@pytest.mark.parametrize("before", SUBSETS, ids=",".join)
@pytest.mark.parametrize("after", SUBSETS, ids=",".join)
def test_no_rolling_deploy_loses_anything(tmp_path, before, after):
    """Any set of adapters, then any other, then the first again, on one directory: each gets all of its own, once, open spans too."""
    first = Life(tmp_path, names=before)
    first.start(9)
    first.append(1, 2, 3)
    got: dict[str, Counter[int]] = {name: Counter() for name in THREE}
    for name in before[:1]:  # one of them was ahead
        got[name].update(first.take(name, 2))
    first.die()
    for number, names in enumerate([after, before]):
        life = Life(tmp_path, names=names)
        life.append(*range(10 * number + 10, 10 * number + 13))
        for name, numbers in take_all(life).items():
            got[name].update(numbers)
        life.close()
    owed = {name: set(range(20, 23)) | {1, 2, 3, 9} if name in before else set() for name in THREE}
    for name in after:
        owed[name] |= set(range(10, 13))
    assert got == {name: Counter(dict.fromkeys(numbers, 1)) for name, numbers in owed.items()}
    last = Life(tmp_path, names=THREE)
    assert take_all(last) == {name: [] for name in THREE}
    last.close()
    assert list(folders(tmp_path)) == []


def test_two_configurations_side_by_side_each_deliver_their_own(tmp_path):
    """Whoever finds a folder first leaves to the other what is the other's."""
    left_behind(tmp_path, 1, 2, names=("zipkin", "store"))
    one, other = Life(tmp_path, names=("zipkin",)), Life(tmp_path, names=("store",))
    kept = [maintainer(one), maintainer(other)]
    got: dict[str, list[int]] = {"zipkin": [], "store": []}
    for _ in range(3):
        for look in kept:
            look._adopt_at = 0.0
            look.look()
        got["zipkin"] += one.take("zipkin")
        got["store"] += other.take("store")
    assert got == {"zipkin": [1, 2], "store": [1, 2]}
    one.close()
    other.close()
    assert list(folders(tmp_path)) == []


def test_an_older_version_left_no_names(tmp_path):
    """It is known by its hash, unless its numbers name it."""
    left_behind(tmp_path, 1, names=("zipkin",))
    [path] = folders(tmp_path)
    (path / "adapters.json").unlink()
    life = Life(tmp_path, names=("store",))
    take_all(life)
    [(name, spans)] = life.journal.stats().unclaimed.items()
    assert (name.startswith("? ("), spans) == (True, 1)
    life.close()


# ---------------------------------------------------------------------- by hand


def test_a_renamed_adapter_takes_over_what_its_old_name_was_owed(tmp_path):
    """What it had taken already is not sent again; what was open comes, too."""
    old = Life(tmp_path, names=("zipkin", "store"))
    old.start(9)
    old.append(1, 2, 3)
    assert old.take("zipkin", 1) == [1]
    old.die()
    [path] = folders(tmp_path)
    left = taken(path)
    assert move(left, "zipkin", "zipkin/main") == 3
    give_back(left)
    new = Life(tmp_path, names=("zipkin/main", "store"))
    assert take_all(new) == {"zipkin/main": [2, 3, 9], "store": [1, 2, 3, 9]}
    new.close()
    assert list(folders(tmp_path)) == []


def test_two_names_become_one_and_what_either_was_owed_comes_once(tmp_path):
    """Nothing is lost, whichever was ahead."""
    old = Life(tmp_path, names=("a", "b"))
    old.append(1, 2, 3, 4)
    assert (old.take("a", 3), old.take("b", 1)) == ([1, 2, 3], [1])
    old.die()
    [path] = folders(tmp_path)
    left = taken(path)
    move(left, "b", "a")
    give_back(left)
    new = Life(tmp_path, names=("a",))
    assert take_all(new) == {"a": [2, 3, 4]}
    new.close()
    assert list(folders(tmp_path)) == []


def test_what_is_dropped_is_forgotten_for_one_adapter_and_no_other(tmp_path):
    """The files go once nobody is owed anything in them."""
    left_behind(tmp_path, 1, 2, opened=(3,), names=("zipkin", "store"))
    [path] = folders(tmp_path)
    left = taken(path)
    assert drop(left, "zipkin") == 3
    give_back(left)
    life = Life(tmp_path, names=("zipkin", "store"))
    assert take_all(life) == {"zipkin": [], "store": [1, 2, 3]}
    life.close()
    left_behind(tmp_path, 4, opened=(5,), names=("zipkin",))
    [path] = folders(tmp_path)
    left = taken(path)
    assert drop(left, "zipkin") == 2
    give_back(left)
    assert list(folders(tmp_path)) == []


# ---------------------------------------------------------------------- by a bound


def test_what_ended_too_long_ago_goes_and_is_counted_under_its_name(tmp_path, caplog):
    """With `max_age`: by the end of the spans, whatever the files' times say; younger ones stay."""
    now = time.time_ns()
    old, young = Life(tmp_path, names=("zipkin",)), Life(tmp_path, names=("zipkin",))
    for life, end in ((old, now - 100 * 10**9), (young, now)):
        with life.accounts.lock:
            for number in (1, 2):
                span = decode_record(record(number))
                life.journal.append(record_of(span, end))
        life.die()
    life = Life(tmp_path, names=("store",))
    maintainer(life, DirectoryBounds(unclaimed=Bounds(max_age_s=50.0))).look()
    stats = life.journal.stats()
    assert (stats.unclaimed, stats.dropped) == ({"zipkin": 2}, {"zipkin": {"unclaimed_max_age": 2}})
    assert "2 spans for zipkin dropped (unclaimed_max_age)" in caplog.text
    assert len(list(folders(tmp_path))) == 1
    life.close()


def record_of(span: object, end_ns: int) -> bytes:
    """A record that ended then."""
    import msgspec

    from tracebridge.journal.base import encode_record

    return encode_record(msgspec.structs.replace(span, end_time_ns=end_ns))  # type: ignore[type-var]


def test_the_oldest_go_when_too_much_waits(tmp_path):
    """With `max_bytes`: folder by folder, each loss counted under the adapter's name."""
    for number in range(10):
        left_behind(tmp_path, number, names=("zipkin",))
    life = Life(tmp_path, names=("store",))
    maintainer(life).look()  # they are as small as what they hold
    each = bytes_in(tmp_path) // 10
    life.close()
    life = Life(tmp_path, names=("store",))
    maintainer(life, DirectoryBounds(unclaimed=Bounds(max_bytes=4 * each + 10))).look()
    stats = life.journal.stats()
    assert (stats.unclaimed, stats.dropped) == ({"zipkin": 4}, {"zipkin": {"unclaimed_max_bytes": 6}})
    life.close()
    later = Life(tmp_path, names=("zipkin",))
    assert take_all(later) == {"zipkin": [6, 7, 8, 9]}
    later.close()


def test_a_directory_that_is_too_large_loses_what_nobody_claims_first_then_the_oldest_of_the_dead(tmp_path):
    """Never what a living process has written; the books balance, and each loss has its reason."""
    for number in range(10):
        left_behind(tmp_path, number, names=("a",))
    left_behind(tmp_path, 50, names=("stranger",))
    living = Life(tmp_path, names=("a",))
    living.append(100)
    life = Life(tmp_path, names=("a",))
    kept = maintainer(life)
    kept.look()
    life.journal.backlog.trim()
    dead = bytes_in(tmp_path) - 2**20
    each = dead // 11
    kept._bounds = DirectoryBounds(max_bytes=2**20 + 6 * each + 20)
    kept._bound_at = 0.0
    kept.look()
    account = life.accounts.adapters["a"]
    assert life.journal.stats().dropped == {"stranger": {DROPPED_DIRECTORY: 1}}
    assert account.dropped == {DROPPED_DIRECTORY: 4}
    assert (account.adopted, life.queued()) == (10, {"a": 6})
    assert life.take("a") == [4, 5, 6, 7, 8, 9]
    assert living.take("a") == [100]
    life.close()
    living.close()
    assert list(folders(tmp_path)) == []


def test_a_directory_without_a_bound_keeps_everything(tmp_path):
    """Which is the default."""
    for number in range(5):
        left_behind(tmp_path, number, names=("zipkin",))
    for _ in range(3):
        life = Life(tmp_path, names=("store",))
        take_all(life)
        assert (life.journal.stats().unclaimed, life.journal.stats().dropped) == ({"zipkin": 5}, {})
        life.close()


# ---------------------------------------------------------------------- directories of before


def segment_of_before(bodies: list[bytes], adapters: list[str], size: int = 2**20) -> bytes:
    """A segment as the first version of the journal wrote it, byte by byte: whole, with its space taken and no names beside it."""
    salt, mark = 0x1234ABCD, b"\x11\x22\x33\x44"
    begin = 128 + len(adapters) * 1024
    header = struct.pack("<8sHHIII4s", b"TBSEGMNT", 1, len(adapters), 128, begin, salt, mark)
    header += struct.pack("<I", zlib.crc32(header))
    data = bytearray(size)
    data[0 : len(header)] = data[64 : 64 + len(header)] = header
    for number, name in enumerate(adapters):
        for copy in (1, 2):
            slot = struct.pack("<8sIII", blake2b(name.encode(), digest_size=8).digest(), copy, 0, 0).ljust(508, b"\0")
            at = 128 + number * 1024 + (copy % 2) * 512
            data[at : at + 512] = slot + struct.pack("<I", zlib.crc32(slot, salt))
    for body in bodies:
        word = len(body) << 4 | 1
        record_bytes = mark + struct.pack("<II", word, zlib.crc32(body, salt ^ word)) + body
        data[begin : begin + len(record_bytes)] = record_bytes
        begin += len(record_bytes)
    return bytes(data)


def test_a_directory_of_before_is_read_whole(tmp_path):
    """Whoever upgrades finds what the version before left: for the adapters that are named, and for those that are not any more."""
    folder = tmp_path / "01764045000123456789-4711-9f3a61c2"
    folder.mkdir()
    (folder / "lock").touch()
    bodies = [[record(1), record(2)], [record(3)]]
    for number, some in enumerate(bodies, start=1):
        (folder / f"{number:08d}.seg").write_bytes(segment_of_before(some, ["zipkin", "store"]))
    new = Life(tmp_path, names=("store",))
    assert take_all(new) == {"store": [1, 2, 3]}
    new.close()
    old = Life(tmp_path, names=("zipkin",))
    assert take_all(old) == {"zipkin": [1, 2, 3]}
    old.close()
    assert list(folders(tmp_path)) == []
