"""Which GPU a rank takes: a law for every number of ranks and devices, and each way to say it."""

from __future__ import annotations

from collections import Counter

import pytest

from xpaccel.backends.gpu.choice import Choice, Wishes, choose, decide, memory_limit
from xpaccel.backends.gpu.visible import read
from xpaccel.backends.ranks import NodeRank
from xpaccel.config import MemoryLimit
from xpaccel.errors import BackendError

ALL = read(None)
GB = 10**9


def rank(number: int, size: int | None) -> NodeRank:
    return NodeRank(number, size, f"LAUNCHER={number}")


@pytest.mark.parametrize("devices", range(1, 9))
@pytest.mark.parametrize("size", range(1, 17))
def test_ranks_are_dealt_out_evenly(devices: int, size: int) -> None:
    visible = range(devices)
    if size > devices:
        with pytest.raises(BackendError, match=f"{size} ranks on this node and {devices} GPU"):
            choose(visible, 0, size)
    chosen = [choose(visible, number, size, oversubscribe=size > devices) for number in range(size)]
    load = Counter(chosen)
    assert set(load) == set(range(min(size, devices)))
    assert max(load.values()) - min(load.values()) <= 1
    if size > 1:
        told = [decide(visible, ALL, rank(n, size), Wishes(oversubscribe=size > devices)) for n in range(size)]
        assert [one.index for one in told] == chosen
        assert all(one.sharing == load[one.index] for one in told)


def test_refusal_says_what_to_do() -> None:
    with pytest.raises(BackendError) as refusal:
        decide(range(2), read("0,1,9,3"), rank(1, 4), Wishes())
    for words in ("4 ranks", "2 GPUs", "start 2 ranks a node", "XP_GPU_OVERSUBSCRIBE=1", "entry 3, '9'"):
        assert words in str(refusal.value)


def test_unknown_number_of_ranks_is_at_least_this_one() -> None:
    assert decide(range(4), ALL, rank(3, None), Wishes()).index == 3
    with pytest.raises(BackendError, match="at least 5 ranks on this node and 4 GPUs"):
        decide(range(4), ALL, rank(4, None), Wishes())
    shared = decide(range(4), ALL, rank(5, None), Wishes(oversubscribe=True))
    assert (shared.index, shared.sharing) == (1, None)
    assert memory_limit(shared, 80 * GB, Wishes(oversubscribe=True)) is None


def test_a_device_that_the_launcher_gave() -> None:
    """One visible device in a list of one is this rank's own, to be checked; one for all is refused."""
    for text in ("3", "GPU-8932", "MIG-5c"):
        own = decide(range(1), read(text), rank(3, 4), Wishes())
        assert (own.index, own.sharing, own.alone) == (0, 1, True)
    for text in (None, "0,9"):
        with pytest.raises(BackendError, match="4 ranks on this node and 1 GPU: start 1 rank a node"):
            decide(range(1), read(text), rank(3, 4), Wishes())


def test_several_devices_a_rank_take_the_rank() -> None:
    assert decide(range(2), read("2,3"), rank(1, 2), Wishes()).index == 1


def test_explicit_choice() -> None:
    assert decide(range(4), ALL, rank(1, 4), Wishes(device=2)) == Choice(2, 1, "XP_DEVICE=2", alone=True)
    assert decide(range(4), ALL, rank(0, 1), Wishes(device=3)) == Choice(3, 1, "XP_DEVICE=3", alone=False)
    with pytest.raises(BackendError, match="XP_DEVICE=4 is not there: this process sees 4 GPUs, counted from 0"):
        decide(range(4), ALL, rank(0, 1), Wishes(device=4))


def test_what_the_job_gave_needs_no_check() -> None:
    given = decide(range(1), read("GPU-8932"), rank(5, 8), Wishes(ranks_per_device=2))
    assert (given.index, given.sharing, given.alone) == (0, 2, False)
    assert "XP_RANK_DEVICE" in given.reason


def test_the_program_chose_before() -> None:
    assert decide(range(4), ALL, rank(0, 1), Wishes(current=2)).index == 2
    assert decide(range(4), ALL, rank(1, 4), Wishes(current=3)).index == 3
    assert decide(range(4), ALL, rank(1, 4), Wishes(current=3, device=0)).index == 0


@pytest.mark.parametrize(
    ("sharing", "wanted", "limit"),
    [
        (1, None, None),
        (2, None, 36 * GB),
        (3, None, 24 * GB),
        (3, MemoryLimit(bytes=10 * GB), 10 * GB),
        (1, MemoryLimit(fraction=0.5), 40 * GB),
        (None, MemoryLimit(fraction=0.25), 20 * GB),
    ],
)
def test_memory(sharing: int | None, wanted: MemoryLimit | None, limit: int | None) -> None:
    assert memory_limit(Choice(0, sharing, ""), 80 * GB, Wishes(memory=wanted)) == limit


def test_more_memory_than_there_is() -> None:
    with pytest.raises(BackendError, match=f"XP_GPU_MEMORY asks for {90 * GB} bytes, and the GPU has {80 * GB}"):
        memory_limit(Choice(0, 1, ""), 80 * GB, Wishes(memory=MemoryLimit(bytes=90 * GB)))
