"""Threads that wait in machine code: handing them a piece costs a microsecond, not a Python thread's wake-up.

A Python thread that waits on a lock is woken by the system, and on an idle core that takes some 50 us: more
than many nests run. These threads are Python threads as well, but they live inside one call of machine
code, without the GIL: they spin for a while after their last piece, then sleep on a futex.

The code is written in LLVM's language since neither Python nor Numba can wait like this. It is for Linux on
x86-64 and AArch64; elsewhere `xpaccel.backends.threads` uses locks.
"""

from __future__ import annotations

import ctypes
import platform
import sys
import threading
from array import array
from functools import cache
from typing import Any

#: How often a waiting thread looks before it sleeps: some 50 us, the time that waking it would take.
SPINS = 3000
#: How often a caller looks for the end of a piece before it lets other processes run between looks.
PATIENCE = 20_000
#: 64-bit words of a thread's mailbox: state, function, ints, floats, low, high. Two cache lines, so that
#: no two threads share one.
WORDS = 16

_SYSCALLS = {"x86_64": (202, "call void @llvm.x86.sse2.pause()"), "aarch64": (98, 'call void asm sideeffect "yield", ""()')}

# A mailbox's state: 0 idle, 1 a piece is posted or running, 2 asleep.
_CODE = """
declare i64 @syscall(i64, ...)
declare i32 @sched_yield()
{declare}

define void @xpaccel_wait(ptr %box) {{
start:
  br label %look
look:
  %looks = phi i32 [0, %start], [0, %work], [0, %sleep], [%more, %spin]
  %state = load atomic i32, ptr %box acquire, align 64
  %posted = icmp eq i32 %state, 1
  br i1 %posted, label %work, label %idle
idle:
  %tired = icmp uge i32 %looks, {spins}
  br i1 %tired, label %sleep, label %spin
spin:
  {pause}
  %more = add i32 %looks, 1
  br label %look
sleep:
  %old = cmpxchg ptr %box, i32 0, i32 2 seq_cst seq_cst
  %woken = call i64 (i64, ...) @syscall(i64 {futex}, ptr %box, i64 128, i64 2, ptr null, ptr null, i64 0)
  br label %look
work:
  %p1 = getelementptr i64, ptr %box, i64 1
  %p2 = getelementptr i64, ptr %box, i64 2
  %p3 = getelementptr i64, ptr %box, i64 3
  %p4 = getelementptr i64, ptr %box, i64 4
  %p5 = getelementptr i64, ptr %box, i64 5
  %function = load ptr, ptr %p1
  %ints = load i64, ptr %p2
  %floats = load i64, ptr %p3
  %low = load i64, ptr %p4
  %high = load i64, ptr %p5
  call void %function(i64 %ints, i64 %floats, i64 %low, i64 %high)
  store atomic i32 0, ptr %box release, align 64
  br label %look
}}

define void @xpaccel_run(ptr %boxes, i64 %helpers, i64 %function, i64 %ints, i64 %floats, i64 %low, i64 %high) {{
start:
  %pieces = add i64 %helpers, 1
  %total = sub i64 %high, %low
  %size = udiv i64 %total, %pieces
  %extra = urem i64 %total, %pieces
  br label %next
next:
  %k = phi i64 [0, %start], [%k1, %posted]
  %from = phi i64 [%low, %start], [%to, %posted]
  %some = icmp ult i64 %k, %helpers
  br i1 %some, label %post, label %own
post:
  %longer = icmp ult i64 %k, %extra
  %one = zext i1 %longer to i64
  %count = add i64 %size, %one
  %to = add i64 %from, %count
  %offset = mul i64 %k, {words}
  %box = getelementptr i64, ptr %boxes, i64 %offset
  %p1 = getelementptr i64, ptr %box, i64 1
  %p2 = getelementptr i64, ptr %box, i64 2
  %p3 = getelementptr i64, ptr %box, i64 3
  %p4 = getelementptr i64, ptr %box, i64 4
  %p5 = getelementptr i64, ptr %box, i64 5
  store i64 %function, ptr %p1
  store i64 %ints, ptr %p2
  store i64 %floats, ptr %p3
  store i64 %from, ptr %p4
  store i64 %to, ptr %p5
  %before = atomicrmw xchg ptr %box, i32 1 seq_cst, align 64
  %asleep = icmp eq i32 %before, 2
  br i1 %asleep, label %wake, label %posted
wake:
  %woken = call i64 (i64, ...) @syscall(i64 {futex}, ptr %box, i64 129, i64 1, ptr null, ptr null, i64 0)
  br label %posted
posted:
  %k1 = add i64 %k, 1
  br label %next
own:
  %f = inttoptr i64 %function to ptr
  call void %f(i64 %ints, i64 %floats, i64 %from, i64 %high)
  br label %join
join:
  %j = phi i64 [0, %own], [%j1, %joined]
  %left = icmp ult i64 %j, %helpers
  br i1 %left, label %ask, label %done
ask:
  %joffset = mul i64 %j, {words}
  %jbox = getelementptr i64, ptr %boxes, i64 %joffset
  br label %watch
watch:
  %looks = phi i32 [0, %ask], [%more, %again], [%looks, %yield]
  %state = load atomic i32, ptr %jbox acquire, align 64
  %busy = icmp eq i32 %state, 1
  br i1 %busy, label %patience, label %joined
patience:
  %long = icmp uge i32 %looks, {patience}
  br i1 %long, label %yield, label %again
again:
  {pause}
  %more = add i32 %looks, 1
  br label %watch
yield:
  %yielded = call i32 @sched_yield()
  br label %watch
joined:
  %j1 = add i64 %j, 1
  br label %join
done:
  ret void
}}
"""


def available() -> bool:
    """Whether this machine can have such threads."""
    return sys.platform == "linux" and platform.machine() in _SYSCALLS


@cache
def _functions() -> tuple[Any, Any]:
    """Return the machine code of a waiting thread and of its caller."""
    import llvmlite.binding as llvm

    from xpaccel.backends import loader

    futex, pause = _SYSCALLS[platform.machine()]
    declare = "declare void @llvm.x86.sse2.pause()" if "llvm." in pause else ""
    text = _CODE.format(futex=futex, pause=pause, declare=declare, spins=SPINS, patience=PATIENCE, words=WORDS)
    image = bytes(loader.target_machine().emit_object(llvm.parse_assembly(text)))
    (wait, run), library = loader.load(image, ["xpaccel_wait", "xpaccel_run"])
    # Waiting threads run this code until the process ends: it must outlive every Python object.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(library))
    word = ctypes.c_int64
    return ctypes.CFUNCTYPE(None, word)(wait), ctypes.CFUNCTYPE(None, *[word] * 7)(run)


class Team:
    """A few waiting threads that belong to one caller at a time.

    Parameters
    ----------
    helpers
        How many threads besides the caller's.
    """

    def __init__(self, helpers: int) -> None:
        wait, self._run = _functions()
        self._memory = array("q", bytes(8 * WORDS * (helpers + 1)))
        start = self._memory.buffer_info()[0]
        self._boxes = start + -start % (8 * WORDS)
        self.helpers = helpers
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._memory))  # as long as the threads that watch it
        for k in range(helpers):
            box = self._boxes + 8 * WORDS * k
            threading.Thread(target=wait, args=(box,), name=f"xpaccel-{k}", daemon=True).start()

    def run(self, function: int, ints: int, floats: int, low: int, high: int) -> None:
        """Run a nest, given by its address, from `low` to `high` in one piece a thread."""
        self._run(self._boxes, self.helpers, function, ints, floats, low, high)
