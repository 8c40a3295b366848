"""The GPU of a process, through fakes of the few calls that are made to CuPy and to the driver's library."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from xpaccel.backends import ranks
from xpaccel.backends.gpu import choice, claims, devices, driver, nvtx
from xpaccel.errors import BackendError

GB = 10**9
UUIDS = [bytes([number + 1] * 16) for number in range(4)]


class CUDARuntimeError(RuntimeError):
    pass


class FakeCuPy(ModuleType):
    """What `devices` asks of CuPy, for `count` GPUs; notes what it was told."""

    def __init__(self, count: int = 4, *, error: str | None = None, name: bytes = b"NVIDIA H100") -> None:
        super().__init__("cupy")
        self.__version__ = "14.0"
        self.used: list[tuple[int, str]] = []
        self.marks: list[str] = []
        self.limits: dict[int, int] = {}
        self.current = 0
        self.version, self.built = 12040, 12090
        self.uuids: Sequence[bytes] = UUIDS

        def device_count() -> int:
            if error is not None:
                raise CUDARuntimeError(error)
            return count

        def properties(index: int) -> dict[str, Any]:
            memory = 80 * GB
            return {"name": name, "uuid": self.uuids[index], "major": 9, "minor": 0, "totalGlobalMem": memory}

        fake = self

        class Device:
            def __init__(self, index: int) -> None:
                self.index, self.before = index, fake.current

            def use(self) -> None:
                fake.current = self.index
                fake.used.append((self.index, threading.current_thread().name))

            def __enter__(self) -> None:
                fake.current = self.index

            def __exit__(self, *_: object) -> None:
                fake.current = self.before

        class Pool:
            def get_limit(self) -> int:
                return fake.limits.get(fake.current, 0)

            def set_limit(self, size: int) -> None:
                fake.limits[fake.current] = size

        def nvrtc_version() -> tuple[int, int]:
            return (12, 9)

        self.cuda = SimpleNamespace(
            Device=Device,
            nvrtc=SimpleNamespace(getVersion=nvrtc_version),
            cublas=SimpleNamespace(create=None),
            runtime=SimpleNamespace(
                CUDARuntimeError=CUDARuntimeError,
                getDeviceCount=device_count,
                getDevice=lambda: self.current,
                getDeviceProperties=properties,
                deviceGetPCIBusId=lambda index: f"0000:{index:02}:00.0",
                driverGetVersion=lambda: self.version,
                runtimeGetVersion=lambda: self.built,
            ),
        )
        self.get_default_memory_pool = Pool


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No launcher, no list of devices, no wishes; and nothing chosen before or after."""
    launchers = {name for pair in ranks.LAUNCHERS for name in pair if name}
    wishes = {"XP_DEVICE", "XP_GPU_OVERSUBSCRIBE", "XP_GPU_MEMORY", "XP_LOCAL_RANK", "XP_NVTX", "XP_RANK_DEVICE"}
    for name in launchers | wishes | {"CUDA_VISIBLE_DEVICES", "SLURM_LOCALID", "PMI_RANK", "PMIX_RANK"}:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PBS_JOBID", f"tests-{os.getpid()}")  # claims of two runs of these tests do not meet
    devices.forget()
    yield
    devices.forget()


def install(monkeypatch: pytest.MonkeyPatch, fake: FakeCuPy) -> FakeCuPy:
    monkeypatch.setitem(sys.modules, "cupy", fake)
    return fake


def launched(monkeypatch: pytest.MonkeyPatch, rank: int, size: int) -> None:
    monkeypatch.setenv("MPI_LOCALRANKID", str(rank))
    monkeypatch.setenv("MPI_LOCALNRANKS", str(size))


# -- choosing


def test_a_single_process_takes_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, FakeCuPy())
    chosen = devices.use_device()
    assert chosen == devices.Chosen(
        *(0, "NVIDIA H100", f"GPU-{uuid.UUID(bytes=UUIDS[0])}", (9, 0), "no launcher: a single process")
    )
    assert [index for index, _ in fake.used] == [0]
    assert fake.limits == {}


def test_each_rank_takes_its_own_and_each_thread_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, FakeCuPy())
    launched(monkeypatch, 2, 4)
    chosen = devices.use_device()
    assert (chosen.index, chosen.reason) == (2, "MPI_LOCALRANKID=2 of 4")
    assert devices.use_device() is chosen
    other = threading.Thread(target=devices.use_device, name="other")
    other.start()
    other.join()
    assert fake.used == [(2, threading.current_thread().name), (2, "other")]


def test_ranks_that_share_divide_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, FakeCuPy(2))
    launched(monkeypatch, 5, 6)
    with pytest.raises(BackendError, match="6 ranks on this node and 2 GPUs"):
        devices.use_device()
    monkeypatch.setenv("XP_GPU_OVERSUBSCRIBE", "1")
    chosen = devices.use_device()
    assert (chosen.index, chosen.memory_limit) == (1, int(0.9 * 80 * GB / 3))
    assert fake.limits == {1: chosen.memory_limit}


def test_memory_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, FakeCuPy(1))
    fake.limits[0] = 3 * GB  # as CUPY_GPU_MEMORY_LIMIT sets it
    assert devices.use_device().memory_limit == 3 * GB
    devices.forget()
    monkeypatch.setenv("XP_GPU_MEMORY", "50%")
    assert devices.use_device().memory_limit == fake.limits[0] == 40 * GB


def test_a_device_given_by_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeCuPy(1))
    launched(monkeypatch, 3, 8)
    for name, value in (("XP_RANK_DEVICE", "GPU-1"), ("CUDA_VISIBLE_DEVICES", "GPU-1"), ("XP_RANKS_PER_DEVICE", "2")):
        monkeypatch.setenv(name, value)
    chosen = devices.use_device()
    assert (chosen.index, chosen.memory_limit) == (0, 36 * GB)
    devices.forget()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")  # something took it away again: no longer this rank's alone
    with pytest.raises(BackendError, match="8 ranks on this node and 1 GPU"):
        devices.use_device()


def test_mig_instances_are_listed_one_a_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, FakeCuPy(1, name=b"NVIDIA A100 MIG 1g.5gb"))
    launched(monkeypatch, 1, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-a,MIG-b")
    chosen = devices.use_device()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-b"
    assert (chosen.index, chosen.uuid[:4]) == (0, "MIG-")
    assert fake.used
    devices.forget()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-a,MIG-b")
    monkeypatch.setattr(driver, "is_started", lambda: True)
    with pytest.raises(BackendError, match="CUDA was started in this process before xpaccel could choose MIG-b"):
        devices.use_device()


@pytest.mark.parametrize(("identity", "told"), [(bytes(16), "GPU-00000000-"), (b"ab", "0000:00:00.0")])
def test_a_uuid_that_cupy_cuts_short(monkeypatch: pytest.MonkeyPatch, identity: bytes, told: str) -> None:
    fake = install(monkeypatch, FakeCuPy(1))
    fake.uuids = [identity]
    assert devices.look()[0].uuid.startswith(told)


# -- what is missing


@pytest.mark.parametrize(
    ("error", "version", "listed", "words"),
    [
        ("cudaErrorInsufficientDriver: x", 0, None, "no NVIDIA driver on this machine"),
        ("cudaErrorInsufficientDriver: x", 11080, None, "runs CUDA up to 11.8, and CuPy was built for CUDA 12.9"),
        ("cudaErrorNoDevice: none", 12040, "", "set to nothing.*cgroup hook"),
        ("cudaErrorNoDevice: none", 12040, "7,0", "entry 1, '7', is no GPU here.*hides what follows"),
        ("cudaErrorSystemNotReady: wait", 12040, None, "CUDA cannot be used here: cudaErrorSystemNotReady"),
        (None, 12040, "NoDevFiles", "Slurm job that did not ask"),
    ],
)
def test_why_there_is_no_device(
    monkeypatch: pytest.MonkeyPatch, error: str | None, version: int, listed: str | None, words: str
) -> None:
    fake = install(monkeypatch, FakeCuPy(0, error=error))
    fake.version = version
    if listed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    with pytest.raises(BackendError, match=words):
        devices.look()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "raise ImportError('=====\\n\\nlibcublas.so.12: no such file')",
            r"ImportError: libcublas.so.12: no such",
        ),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise RuntimeError()", "RuntimeError: no reason given"),
    ],
)
def test_cupy_that_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, source: str, words: str
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    (folder / "cupy.py").write_text(source, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(BackendError, match=f"installed and cannot be imported .*{words}"):
        devices.look()


def test_no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(BackendError, match=r"CuPy is not installed \(pip install .*cuda12.*cuda13"):
        devices.look()


def test_toolkit_says_which_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, FakeCuPy())
    assert devices.toolkit() == devices.Toolkit("14.0", 12090)

    def missing() -> None:
        raise RuntimeError('Failure finding "libnvrtc.so.12"')

    fake.cuda.nvrtc.getVersion = missing
    del fake.cuda.cublas
    found = devices.toolkit()
    assert found.nvrtc == 'RuntimeError: Failure finding "libnvrtc.so.12"'
    assert found.cublas is not None


# -- claims

CLAIM = """
import sys
from xpaccel.backends.gpu import claims
print(claims.claim(sys.argv[1], int(sys.argv[2]), {"PBS_JOBID": sys.argv[3]}), flush=True)
sys.stdin.read()
"""


def test_ranks_of_a_job_see_each_other_and_no_one_else() -> None:
    job = f"job-{os.getpid()}"
    taken = [
        ("GPU-a", "0", job),
        ("GPU-a", "1", job),
        ("GPU-a", "1", job),
        ("GPU-b", "2", job),
        ("GPU-a", "3", "other"),
    ]
    running, said = [], []
    for line in taken:
        process = subprocess.Popen(
            [sys.executable, "-c", CLAIM, *line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        running.append(process)
        said.append(process.stdout.readline().strip())
    # The second process of rank 1 is the same rank.
    assert said == ["[]", "[0]", "[0]", "[]", "[]"]
    assert claims.claim("GPU-a", 7, {"PBS_JOBID": job}) == [0, 1]
    for process in running:
        process.communicate("")
    assert claims.claim("GPU-a", 7, {"PBS_JOBID": job}) == []


def test_a_shared_list_of_one_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under PBS's cgroup hook, where a job of two ranks and one GPU gives both the same list."""
    install(monkeypatch, FakeCuPy(1))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-01")
    identity = f"GPU-{uuid.UUID(bytes=UUIDS[0])}"
    launched(monkeypatch, 1, 2)
    assert devices.use_device().index == 0  # nobody else has it
    devices.forget()
    claims.claim(identity, 0)
    with pytest.raises(BackendError, match=r"rank 1 of this node would share .* with rank 0 .*XP_GPU_OVERSUBSCRIBE=1"):
        devices.use_device()
    monkeypatch.setenv("XP_GPU_OVERSUBSCRIBE", "1")
    assert devices.use_device().memory_limit == 36 * GB


# -- driver


class FakeDriver:
    """The functions of libcuda.so.1 that are called."""

    def __init__(
        self, version: int = 12040, result: int = 0, names: Sequence[bytes] = (), started: bool = True
    ) -> None:
        self.version, self.result, self.names, self.started = version, result, names, started

    def cuDriverGetVersion(self, out: Any) -> int:
        out._obj.value = self.version
        return 0

    def cuInit(self, flags: int) -> int:
        return self.result

    def cuDeviceGetCount(self, out: Any) -> int:
        out._obj.value = len(self.names)
        return 0 if self.started else driver.NOT_INITIALISED

    def cuDeviceGet(self, out: Any, index: int) -> int:
        out._obj.value = index
        return 0

    def cuDeviceGetName(self, out: Any, size: int, device: Any) -> int:
        out.value = self.names[device.value]
        return 0

    def cuDeviceGetUuid_v2(self, out: Any, device: Any) -> int:
        out._obj[:] = [device.value + 1] * 16
        return 0


def test_driver_lists_devices() -> None:
    fake = FakeDriver(names=[b"NVIDIA H100", b"NVIDIA A100 MIG 1g.5gb"])
    found = driver.ask(lambda name: fake)
    assert found == driver.Driver(
        12040,
        devices=(
            ("NVIDIA H100", f"GPU-{uuid.UUID(bytes=UUIDS[0])}"),
            ("NVIDIA A100 MIG 1g.5gb", f"MIG-{uuid.UUID(bytes=UUIDS[1])}"),
        ),
    )


@pytest.mark.parametrize(
    ("result", "words"),
    [(100, "no GPU is shown"), (803, "without a reboot"), (34, "stub"), (77, "cuInit failed with error 77")],
)
def test_driver_that_does_not_start(result: int, words: str) -> None:
    found = driver.ask(lambda name: FakeDriver(result=result))
    assert (found.version, found.result, found.devices) == (12040, result, ())
    assert words in str(found.problem)


def test_no_driver() -> None:
    def load(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    assert driver.ask(load) == driver.Driver(None, problem="libcuda.so.1: cannot open shared object file")
    assert not driver.is_started(load)


def test_whether_cuda_was_started() -> None:
    assert driver.is_started(lambda name: FakeDriver())
    assert not driver.is_started(lambda name: FakeDriver(started=False))


@pytest.mark.parametrize(
    ("version", "built", "words"),
    [
        (12040, 12090, None),  # within a major version, later minor ones run
        (13000, 12090, None),
        (12040, 13000, 'up to 12.4, .* CUDA 13.0: pip uninstall .*pip install "xpaccel\\[cuda12\\]"'),
        (11080, 12090, "up to 11.8.*driver must be updated"),
    ],
)
def test_old_drivers(version: int, built: int, words: str | None) -> None:
    said = driver.why_too_old(version, built)
    assert (said is None) == (words is None)
    assert words is None or re.search(words, str(said))


# -- marks for profilers


def test_marks_cost_nothing_unless_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def launch(size: int) -> int:
        marks.append(f"launch {size}")
        if size < 0:
            raise ValueError(size)
        return size

    marks: list[str] = []
    assert nvtx.marked(launch, "name") is launch
    fake = ModuleType("cupy.cuda.nvtx")
    fake.RangePush, fake.RangePop = marks.append, lambda: marks.append("end")  # type: ignore[attr-defined]
    package = ModuleType("cupy.cuda")
    package.nvtx = fake  # type: ignore[attr-defined]
    for name, module in (("cupy", FakeCuPy()), ("cupy.cuda", package), ("cupy.cuda.nvtx", fake)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("XP_NVTX", "1")
    inside = nvtx.marked(launch, nvtx.label("diffuse", ("heat.py:3", "heat.py:4")))
    assert inside(5) == 5
    with pytest.raises(ValueError, match="-1"):
        inside(-1)
    name = "diffuse (heat.py:3, heat.py:4)"
    assert marks == [name, "launch 5", "end", name, "launch -1", "end"]
    assert nvtx.label("diffuse", ()) == "diffuse"


def test_shared_part_leaves_room_for_contexts() -> None:
    limits = [choice.memory_limit(choice.Choice(0, n, ""), 80 * GB, choice.Wishes()) or 0 for n in range(2, 9)]
    assert all(n * limit < 80 * GB for n, limit in enumerate(limits, start=2))
