"""`make test-kernels` really takes other kernels: torch obeys what it is asked for."""

import os
import platform

import pytest
import torch

WANTED = os.environ.get("ATEN_CPU_CAPABILITY")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of x86 kernels")
def test_the_kernels_asked_for_are_used():
    used = torch.backends.cpu.get_cpu_capability()
    assert used == (WANTED or used).upper()
