"""Runs a notebook and puts its outputs into the form that is kept."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode

from course_utils.authoring.pictures import smaller_png
from course_utils.authoring.source import KEPT, METADATA, BuildError

TIMEOUT = 600  # seconds a cell may take
JOBS = min(2, os.cpu_count() or 1)  # notebooks that run at a time: each computes on one thread
LIMIT = 1024 * 1024  # bytes of a notebook
QUIET = "--log-level=40"  # of the kernel's own messages, errors alone
PNG, WIDGET = "image/png", "application/vnd.jupyter.widget-view+json"

ENVIRONMENT = {  # what a kernel sees, so that outputs are the same on every machine
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "MKL_NUM_THREADS": "2",
    "OMP_NUM_THREADS": "2",
    "PYTHONHASHSEED": "0",
    "TOKENIZERS_PARALLELISM": "false",
}


def execute(notebook: NotebookNode, folder: Path, on_cell: Callable | None = None) -> None:
    """Run every cell of a notebook, in place.

    Args:
        notebook: what to run; its old outputs are replaced.
        folder: the working folder of the kernel.
        on_cell: called after each cell with the keywords `cell` and `cell_index`.
    Raises:
        BuildError: a cell failed or took too long; its output says how.
    """
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=[QUIET],
        resources={"metadata": {"path": str(folder)}},
        on_cell_executed=on_cell,
    )
    try:
        client.execute(env=kernel_environment())
    except CellTimeoutError as error:
        raise BuildError(f"{error}\na cell took longer than {TIMEOUT} s") from error
    except (CellExecutionError, DeadKernelError) as error:
        raise BuildError(strip_ansi(str(error))) from error


def kernel_environment() -> dict[str, str]:
    """The environment of a kernel: ours, but with pictures drawn into the notebook."""
    ours = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    return ours | ENVIRONMENT


def clean(notebook: NotebookNode) -> None:
    """Drop what differs from run to run or from machine to machine, in place."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in code_cells(notebook):
        kept = {name: cell.metadata[name] for name in KEPT if cell.metadata.get(name)}
        cell.metadata = nbformat.from_dict(kept)
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]


def compress(notebook: NotebookNode, limit: int = LIMIT) -> None:
    """Make the pictures of a notebook smaller, in place; lossless where that is enough.

    Raises:
        BuildError: the notebook stays larger than the limit.
    """
    for palette in (False, True):
        for data in pictures(notebook):
            png = smaller_png(base64.b64decode(data[PNG]), palette)
            data[PNG] = base64.b64encode(png).decode()
        if size(notebook) <= limit:
            return
    raise BuildError(
        f"the notebook takes {size(notebook):,} bytes, {limit:,} are allowed. "
        "Show fewer or smaller pictures."
    )


def problems(notebook: NotebookNode) -> list[str]:
    """What a notebook must not hold: a cell that did not run, an error, a word on stderr."""
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        if cell.execution_count is None:
            found.append(f"cell {number} was not executed")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {number} raised {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                found.append(f"cell {number} wrote to stderr: {output.text.strip()}")
    return found


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that can be run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(notebook: NotebookNode) -> list[NotebookNode]:
    """The data of every output that holds a PNG."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return [output.data for output in outputs if PNG in output.get("data", {})]


def size(notebook: NotebookNode) -> int:
    """Bytes of the notebook's file."""
    return len(nbformat.writes(notebook).encode())
