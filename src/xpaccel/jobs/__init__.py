"""The same program on a cluster's scheduler: ask for resources, render a PBS script, submit it.

`render` and everything under it is pure text from values; `submit` is the one place that starts a process, and takes
the function that does so as an argument. Inside the job, `xpaccel.jobs.check` compares what was given with what was
asked for, and `xpaccel.jobs.rank` gives each rank its GPU.

>>> from xpaccel import jobs
>>> job = jobs.Job("heat.py", ("--steps", "100"), jobs.Resources(nodes=2, gpus_per_node=4, walltime="00:30:00"))
>>> script = jobs.render(job)
"""

from __future__ import annotations

from xpaccel.jobs.activation import Activation
from xpaccel.jobs.job import Job
from xpaccel.jobs.pbs import render
from xpaccel.jobs.qsub import SubmitError, Submitted, submit
from xpaccel.jobs.resources import Resources
from xpaccel.jobs.sites import Site

__all__ = ["Activation", "Job", "Resources", "Site", "SubmitError", "Submitted", "render", "submit"]
