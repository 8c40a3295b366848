"""Ranks as threads of one process: a communicator without MPI, quick enough for Hypothesis."""

from __future__ import annotations

import contextvars
import threading
from collections import defaultdict
from queue import SimpleQueue


class Team:
    """Ranks that are threads.

    Parameters
    ----------
    size
        How many.
    """

    def __init__(self, size):
        self.size = size
        self.barrier = threading.Barrier(size)
        self.items = [None] * size
        self.queues = defaultdict(SimpleQueue)

    def run(self, function):
        """Call ``function(comm)`` on every rank; return the results, or raise what a rank raised."""
        results, errors = [None] * self.size, [None] * self.size

        def work(rank):
            try:
                results[rank] = function(Member(self, rank))
            except BaseException as error:
                errors[rank] = error
                self.barrier.abort()
                for other in range(self.size):
                    self.queues[rank, other].put(None)  # nobody waits for a rank that is gone

        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(work, rank)) for rank in range(1, self.size)
        ]
        for thread in threads:
            thread.start()
        work(0)
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a rank hangs"
        raised = [error for error in errors if error is not None]
        own = [error for error in raised if not isinstance(error, threading.BrokenBarrierError | Gone)]
        if raised:
            raise (own or raised)[0]
        return results


class Gone(Exception):
    """A rank that was to send has failed."""


class Member:
    """A rank of a team."""

    def __init__(self, team, rank):
        self.team, self.rank, self.size = team, rank, team.size

    def gather(self, item):
        self.team.items[self.rank] = item
        self.team.barrier.wait(30)
        found = list(self.team.items)
        self.team.barrier.wait(30)
        return found

    def deal(self, items):
        return [given[self.rank] for given in self.gather(list(items))]

    def link(self, sends, receives):
        return Mail(self, sends, receives)


class Mail:
    """Buffers between ranks. A message is a copy, as MPI's is."""

    def __init__(self, member, sends, receives):
        self.member, self.sends, self.receives = member, sends, receives

    def post(self):
        pass

    def send(self):
        for rank, buffer in self.sends:
            self.member.team.queues[self.member.rank, rank].put(buffer.copy())

    def receive(self):
        for rank, buffer in self.receives:
            found = self.member.team.queues[rank, self.member.rank].get(timeout=30)
            if found is None:
                raise Gone
            assert found.size == buffer.size, "a message of another size"
            buffer[...] = found

    def finish(self):
        pass
