"""What `xpaccel doctor` says of GPUs, from the device files up: each layer is judged by itself."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from xpaccel.backends.gpu import driver, visible
from xpaccel.backends.gpu.devices import NO_CUPY, Device
from xpaccel.report import sizes
from xpaccel.report.doctor import Check, State
from xpaccel.report.doctor_facts import NO_ANSWER, Facts

#: What starting CUDA gives where a process sees no GPU: none is shown, or its device files cannot be opened.
UNSEEN = (100, 304)
CONTAINER = "in a container, start it with --nv (Apptainer) or --gpus all (Docker)"
GPU_NODE = "on a cluster, run this on a node with a GPU, in a job that asks for one"


def judge(facts: Facts) -> Iterator[Check]:
    """Give the checks of GPUs."""
    yield _files(facts)
    yield _driver(facts)
    yield _tool(facts)
    yield _variable(facts)
    yield from _cupy(facts)
    version = facts.versions.get("numba-cuda")
    if version is None:
        yield Check("gpu", "numba-cuda", "absent", "not installed", "the extras cuda12 and cuda13 bring it")
    else:
        yield Check("gpu", "numba-cuda", "ok", version)
    if facts.gpu.toolkit is not None:
        yield from _devices(facts)


def _in_job(facts: Facts) -> bool:
    return "PBS_JOBID" in facts.environ or "SLURM_JOB_ID" in facts.environ


def _listing(facts: Facts) -> visible.Listing:
    return visible.read(facts.environ.get(visible.NAME))


def _excuse(facts: Facts) -> bool:
    """Whether it is in order that this process sees no GPU: there is none, it is hidden, or this job has none."""
    denied = facts.nodes and all(node.error == errno.EPERM for node in facts.nodes)
    hidden = _listing(facts).kind == "none" and _listing(facts).text in ("", "-1", "NoDevFiles")
    return not facts.nodes or hidden or bool(denied and _in_job(facts))


def _files(facts: Facts) -> Check:
    name = "device files"
    if not facts.nodes:
        return Check("gpu", name, "absent", "there is no /dev/nvidia0: no NVIDIA GPU, or no driver for it")
    shut = [node for node in facts.nodes if node.problem is not None]
    words = f"{len(facts.nodes)}, of which this process may open {len(facts.nodes) - len(shut)}"
    if len(shut) < len(facts.nodes):
        return Check("gpu", name, "ok", words)
    words = f"{words} ({shut[0].path}: {shut[0].problem})"
    if all(node.error == errno.EPERM for node in shut) and _in_job(facts):
        return Check("gpu", name, "absent", words, "this job has no GPU: add ngpus to the request")
    if all(node.error == errno.EACCES for node in shut):
        return Check("gpu", name, "failed", words, f"ask for the group that `ls -l {shut[0].path}` shows")
    return Check("gpu", name, "failed", words, CONTAINER)


def _driver(facts: Facts) -> Check:
    found = facts.driver
    if found.result == NO_ANSWER:
        return Check(
            "gpu", "driver", "failed", found.problem or "no answer", "the GPU or its driver hangs: try another node"
        )
    if found.version is None:
        if facts.nodes:
            words = f"there are device files, and {driver.LIBRARY} cannot be loaded: {found.problem}"
            return Check("gpu", "driver", "failed", words, CONTAINER)
        return Check("gpu", "driver", "absent", found.problem or "not installed", GPU_NODE)
    words = f"for CUDA up to {driver.show_version(found.version)}"
    if found.result or found.problem:
        excused = _excuse(facts) and (found.result in UNSEEN or not facts.nodes)
        state: State = "absent" if excused else "failed"
        return Check("gpu", "driver", state, f"{words}; {found.problem}")
    return Check("gpu", "driver", "ok", f"{words}, shows {len(found.devices)}: {_names(found.devices)}")


def _names(devices: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(f"{name} ({uuid})" for name, uuid in devices) or "none"


def _tool(facts: Facts) -> Check:
    name, found = "nvidia-smi -L", facts.tool
    if found is None:
        return Check("gpu", name, "absent", "there is no such command")
    if found.reason is not None:
        return Check("gpu", name, "absent" if _excuse(facts) else "failed", found.reason)
    instances = sum(line.lstrip().startswith("MIG ") for line in found.found)
    words = "\n".join(found.found) or "lists nothing"
    if instances > 1 and _listing(facts).kind == "all":
        advice = f"CUDA shows a process one MIG instance of these {instances}: list a UUID a rank in {visible.NAME}"
        return Check("gpu", name, "note", words, advice)
    return Check("gpu", name, "ok", words)


def _variable(facts: Facts) -> Check:
    listing, shown = _listing(facts), len(facts.driver.devices)
    if listing.kind == "all":
        if "PBS_JOBID" in facts.environ and shown > 1:
            words = f"not set, as on PBS sites without the cgroup hook: all {shown} of the node are shown"
            advice = "if jobs share the node, some are not this job's: ask for all of them, or for -l place=excl"
            return Check("gpu", visible.NAME, "note", words, advice)
        return Check("gpu", visible.NAME, "ok", "not set: nothing is hidden")
    if facts.driver.version is None:
        return Check("gpu", visible.NAME, "note" if listing.problem else "ok", listing.problem or repr(listing.text))
    short = listing.kind != "mig" and shown < len(listing.entries)
    if listing.problem is None and not short:
        return Check("gpu", visible.NAME, "ok", visible.explain(listing, shown))
    intended = listing.text in ("", "-1", "NoDevFiles")
    return Check("gpu", visible.NAME, "absent" if intended else "note", visible.explain(listing, shown))


def _cupy(facts: Facts) -> Iterator[Check]:
    names, gpu, version = facts.cupys, facts.gpu, facts.driver.version
    if not facts.has_cupy and not names:
        words = "the GPU is not used: " if facts.driver.devices else ""
        yield Check("gpu", "cupy", "absent", "not installed", f"{words}{NO_CUPY}" if facts.driver.devices else "")
        return
    major = 13 if version is not None and version >= 13000 else 12  # newer drivers run it too
    if len(names) > 1:
        words = f"{' and '.join(names)} are installed together, and overwrite each other's files"
        yield Check("gpu", "cupy", "failed", words, driver.reinstall(major))
        return
    if gpu.toolkit is None:
        yield Check("gpu", "cupy", "failed", gpu.problem or "cannot be imported", driver.reinstall(major))
        return
    origin = f"{names[0]} " if names else ""
    words = f"{origin}{gpu.toolkit.version}, built for CUDA {driver.show_version(gpu.toolkit.built)}"
    old = None if not version else driver.why_too_old(version, gpu.toolkit.built)
    yield Check("gpu", "cupy", "failed" if old else "ok", words, old or "")
    extra = f'pip install "{names[0]}[ctk]"' if names and names[0] != "cupy" else "install the CUDA toolkit"
    remedy = f"{extra}, or load the cluster's CUDA module"
    if gpu.toolkit.nvrtc is not None:
        yield Check("gpu", "NVRTC", "failed", f"no kernel can be compiled: {gpu.toolkit.nvrtc}", remedy)
    if gpu.toolkit.cublas is not None:
        yield Check("gpu", "cuBLAS", "failed", f"matrix products cannot run: {gpu.toolkit.cublas}", remedy)


def _devices(facts: Facts) -> Iterator[Check]:
    gpu = facts.gpu
    if gpu.devices_problem is not None:
        state: State = "failed" if facts.driver.devices else "absent"
        yield Check("gpu", "devices", state, gpu.devices_problem)
        return
    yield Check("gpu", "devices", "ok", "\n".join(map(_describe, gpu.devices)))
    if gpu.chosen is None:
        yield Check("gpu", "this process", "failed", gpu.chosen_problem or "no device was chosen")
        return
    limit = gpu.chosen.memory_limit
    memory = "" if limit is None else f"; memory pool of at most {sizes.show(limit)}"
    yield Check("gpu", "this process", "ok", f"uses device {gpu.chosen.index}: {gpu.chosen.reason}{memory}")


def _describe(device: Device) -> str:
    major, minor = device.compute_capability
    return f"{device.index}: {device.name}, {sizes.show(device.memory)}, sm_{major}{minor}, {device.uuid}"
