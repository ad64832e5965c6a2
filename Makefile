# Stable Diffusion, dissected. `make course` and `make test` are all a newcomer needs.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
WORKERS ?= 2
CONSTRAINTS ?= constraints.txt  # nothing: the newest versions that pyproject.toml allows
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=600
# the learner's notebooks come first: one of them trains, and the rest should not wait for it
PARALLEL := -n $(WORKERS) --dist loadscope --no-loadscope-reorder

# Jupyter refuses to start for root, whom most containers run as, unless it is told that it may
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)

# the tests that claim bits, for kernels of older processors; notebooks are too long for it
EQUAL := $(patsubst %,tests/test_%.py,kernels any_model pipeline img2img inpaint depth2img schedulers \
	attention text unet vae) --deselect tests/test_any_model.py::test_the_notebook_runs_unchanged

.PHONY: help setup course lab test test-kernels notebooks figures site train train-gpu train-large evaluate bench bench-gpu lint

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-19s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv and install everything in it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed, $(PYTHON) is %d.%d. Try: make setup PYTHON=python3.11" % sys.version_info[:2])'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): a few minutes the first time ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade pip  # newer ones install faster
	@$(PY) -m pip install --quiet --disable-pip-version-check $(addprefix -c ,$(CONSTRAINTS)) -e '.[dev]'
	@touch $@

course: setup ## run every notebook, leave its page in build/course
	@$(PY) -m course_utils.authoring.course

lab: setup ## open JupyterLab on the first notebook
	@$(PY) -m jupyterlab $(AS_ROOT) notebooks/00_tour.ipynb

test: setup ## run all tests, and both forms of every notebook, on WORKERS=2 processes
	@$(PY) -m pytest notebooks/*.ipynb tests notebooks/solutions $(NBVAL) $(PARALLEL)

test-kernels: setup ## run the tests of equality with the kernels of older processors, too
	@ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 $(PY) -m pytest -q $(EQUAL) $(PARALLEL)
	@ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 $(PY) -m pytest -q $(EQUAL) $(PARALLEL)

notebooks: setup ## build the notebooks from notebooks/src
	@$(PY) -m course_utils.authoring.build

figures: setup ## draw the figures
	@$(PY) -m course_utils.authoring.figures

site: setup ## build the site into build/site
	@$(PY) -m course_utils.authoring.site

train: setup ## train the pocket model: hours; resumes where it stopped
	@$(PY) -m course_utils.training.vae
	@$(PY) -m course_utils.training.text
	@$(PY) -m course_utils.training.unet
	@$(PY) -m course_utils.training.vae vae_decoder
	@$(PY) -m course_utils.training.judge
	@$(PY) -m course_utils.training.unet inpaint_unet
	@$(PY) -m course_utils.training.unet depth_unet
	@$(PY) -m course_utils.training.depth_estimator
	@$(PY) -m course_utils.training.segmenter
	@$(PY) -m course_utils.training.export

train-gpu: setup ## train the bundled model further on a CUDA GPU: a quarter of an hour
	@$(PY) -m course_utils.training.vae gpu/vae
	@$(PY) -m course_utils.training.unet gpu/unet
	@$(PY) -m course_utils.training.unet gpu/inpaint_unet
	@$(PY) -m course_utils.training.unet gpu/depth_unet
	@$(PY) -m course_utils.training.judge gpu/judge
	@$(PY) -m course_utils.training.export gpu

train-large: setup ## train a larger model of your own on a CUDA GPU
	@$(PY) -m course_utils.training.vae large/vae
	@$(PY) -m course_utils.training.text large/text
	@$(PY) -m course_utils.training.unet large/unet
	@$(PY) -m course_utils.training.export large build/model

evaluate: setup ## measure how good the pocket model is
	@$(PY) -m course_utils.training.evaluate
	@$(PY) -m course_utils.training.evaluate_tasks
	@$(PY) -m course_utils.training.evaluate_attention
	@$(PY) -m course_utils.training.evaluate_flooble

bench: setup ## measure how fast it is
	@$(PY) benchmarks/bench_draw.py
	@$(PY) benchmarks/bench_pipeline.py
	@$(PY) benchmarks/bench_notebooks.py
	@$(PY) benchmarks/bench_world.py

bench-gpu: setup ## measure how fast the real architecture is on a CUDA GPU: minutes
	@$(PY) benchmarks/bench_gpu.py

lint: setup ## look for mistakes in style
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
