"""The stand-in's ``cupy.cuda.stream``: work is done at once, or recorded while a stream captures."""

from __future__ import annotations

import threading
from typing import Any

from cupy import _standin
from cupy.cuda import runtime
from cupy.cuda.graph import Capture, Graph

_local = threading.local()


def get_current_stream(device_id: int = -1) -> Stream:
    """Return this thread's stream."""
    current: list[Stream] = getattr(_local, "streams", [])
    return current[-1] if current else Stream.null


class Event:
    """A stand-in (test double) for a CUDA event; it tells no time."""

    done = True

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self._timed, self.recorded = not disable_timing, False

    def record(self, stream: Stream | None = None) -> None:
        """Record it."""
        self.recorded = True

    def synchronize(self) -> None:
        """Wait for it."""
        _standin.counts.synchronisations += 1


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Return the milliseconds between two events: a made-up 1.0."""
    for event in (start_event, end_event):
        if not event.recorded or not event._timed:
            raise runtime.CUDARuntimeError(runtime.cudaErrorInvalidValue, "an event was not recorded, or has no timing")
    return 1.0


class Stream:
    """A stand-in (test double) for a CUDA stream."""

    null: Stream
    ptds: Stream

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: int | None = None
    ) -> None:
        self.ptr = 0 if null else runtime.streamPerThread if ptds else id(self)
        self.device_id = -1 if null or ptds else _standin.current_device()
        self.is_non_blocking = non_blocking
        self._capture: Capture | None = None

    done = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self) -> int:
        return self.ptr

    def __repr__(self) -> str:
        return f"<stand-in Stream {self.ptr} (device {self.device_id})>"

    def __enter__(self) -> Stream:
        if self.device_id not in (-1, _standin.current_device()):
            raise RuntimeError(
                f"The device that the stream is created on ({self.device_id})"
                f" does not match with the current device ({_standin.current_device()})"
            )
        _local.streams = [*getattr(_local, "streams", []), self]
        return self

    def __exit__(self, *details: object) -> None:
        _local.streams = _local.streams[:-1]

    def use(self) -> Stream:
        """Make it this thread's stream."""
        _local.streams = [self]
        return self

    def synchronize(self) -> None:
        """Wait for it, which a stream that captures does not allow."""
        if self._capture is not None:
            raise runtime.CUDARuntimeError(runtime.cudaErrorStreamCaptureUnsupported, "synchronize")
        _standin.counts.synchronisations += 1

    def record(self, event: Event | None = None) -> Event:
        """Record an event."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let what follows wait for an event."""

    def begin_capture(self, mode: int | None = None) -> None:
        """Record what is launched from now on instead of running it."""
        if self.ptr in (0, 1):
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self._capture is not None:
            raise runtime.CUDARuntimeError(runtime.cudaErrorInvalidValue, "the stream captures already")
        self._capture = Capture()

    def end_capture(self) -> Graph:
        """Return what was recorded."""
        if self._capture is None:
            raise runtime.CUDARuntimeError(runtime.cudaErrorInvalidValue, "the stream does not capture")
        capture, self._capture = self._capture, None
        return Graph._of(capture)

    def is_capturing(self) -> bool:
        """Whether it records."""
        return self._capture is not None


Stream.null = Stream(null=True)
Stream.ptds = Stream(ptds=True)


def of(stream: Any) -> Stream:
    """Return the stream that an argument ``stream`` means."""
    return get_current_stream() if stream is None else stream
