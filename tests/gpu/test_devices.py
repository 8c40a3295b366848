"""Which device a process takes, as the environment tells it: indices, UUIDs, MIG instances, none, ranks."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from xpaccel.backends.gpu import devices

pytestmark = pytest.mark.gpu

CHOSEN = """
import json
from xpaccel.backends.gpu import devices
from xpaccel.errors import XpaccelError
try:
    chosen = devices.use_device()
    print(json.dumps([chosen.uuid, len(devices.look())]))
except XpaccelError as error:
    print(json.dumps(str(error)))
"""
RANKS = {"OMPI_COMM_WORLD_LOCAL_RANK": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}


def listed(prefix):
    """Return the UUIDs that the driver's own tool lists and that this process may use."""
    if shutil.which("nvidia-smi") is None:
        return []
    said = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout
    return [word for line in said.splitlines() for word in line.rstrip(")").split() if word.startswith(prefix)]


def test_each_device_by_its_uuid(python):
    for one in devices.look():
        if not one.uuid.startswith(("GPU-", "MIG-")):
            pytest.skip(f"this CuPy does not tell the whole UUID of {one.name}: {one.uuid}")
        assert python(CHOSEN, {"CUDA_VISIBLE_DEVICES": one.uuid}) == [one.uuid, 1]


def test_each_mig_instance_by_its_uuid(python, hardware):
    instances = listed("MIG-")
    if not instances:
        pytest.skip("nvidia-smi lists no MIG instance here")
    for one in instances:
        uuid, shown = python(CHOSEN, {"CUDA_VISIBLE_DEVICES": one})
        assert shown == 1
        assert uuid


def test_a_hidden_device_is_not_used(python):
    said = python(CHOSEN, {"CUDA_VISIBLE_DEVICES": ""})
    assert "CUDA_VISIBLE_DEVICES is set to nothing" in said


def test_a_second_rank_takes_a_second_device_or_says_what_to_do(python):
    seen = devices.look()
    if len(seen) > 1:
        assert python(CHOSEN, RANKS) == [seen[1].uuid, len(seen)]
        return
    assert "XP_GPU_OVERSUBSCRIBE=1" in python(CHOSEN, RANKS)
    assert python(CHOSEN, {**RANKS, "XP_GPU_OVERSUBSCRIBE": "1"}) == [seen[0].uuid, 1]


def test_the_device_of_this_process_is_current(device):
    assert devices.use_device().index == device.cuda.Device().id
