"""Tests and the kernels that nbval starts see the environment the notebooks were built in."""

import os

from course_utils.authoring.execute import ENVIRONMENT

os.environ.pop("COURSE_MODEL", None)  # and the bundled model
for name, value in ENVIRONMENT.items():
    os.environ.setdefault(name, value)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # who waits leaves the core to other processes
