# Needs a Python ≥ 3.11 with pip and venv, and nothing else: everything goes into .venv, at the versions in
# .ci/constraints.txt. `make help` lists what can be done.

.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?=
LAB_ARGS ?=
APP_ARGS ?=
QUICKSTART := notebooks/01_quickstart.ipynb

ENVIRONMENT := .venv
RUN := $(ENVIRONMENT)/bin/python
WITH_CHROMIUM = CHROMIUM="$$($(RUN) .ci/chromium.py)"
# Beside the one of the environment, the latest.
OLDER_KERNELS := 6.31 7.3
CHECKS := lint types rooms unit rounding notebooks browser
# What nbval imports takes longer than torch; only the notebooks need it.
PYTEST := $(RUN) -m pytest -p no:nbval
# Files go to as many processes as there are cores. More than a few cost more processor time than they save: each
# imports everything.
IN_PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=loadfile
# Where rounding could decide.
MATHEMATICS := $(shell grep -ls 'pytest\.mark\.rounding' tests/test_*.py)

# The kernel is this environment's, whatever the user has installed elsewhere; and a backend inherited from a
# notebook's terminal would redirect its figures.
export JUPYTER_PREFER_ENV_PATH := 1
unexport MPLBACKEND
# What has been compiled is kept: the environment comes uncompiled.
unexport PYTHONDONTWRITEBYTECODE

# The checks do not see the user's Jupyter settings. One thread: sums are then added in the same order on every
# machine, and stored outputs agree.
$(CHECKS) kernels: export JUPYTER_CONFIG_DIR := $(CURDIR)/$(ENVIRONMENT)/checks/config
$(CHECKS) kernels: export JUPYTER_DATA_DIR := $(CURDIR)/$(ENVIRONMENT)/checks/data
$(CHECKS) kernels: export JUPYTER_RUNTIME_DIR := $(CURDIR)/$(ENVIRONMENT)/checks/runtime
# IPython makes its folder, and not the one above it.
$(CHECKS) kernels: export IPYTHONDIR := $(CURDIR)/$(ENVIRONMENT)/ipython
$(CHECKS) kernels: export OMP_NUM_THREADS := 1

.PHONY: help lab app test bench kernels pictures chromium environment-lab environment-test clean $(CHECKS)

help: ## List what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

lab: environment-lab ## Open the quickstart in JupyterLab
	@root=; if [ "$$(id -u)" = 0 ]; then root=--allow-root; fi; \
	exec $(RUN) -m jupyterlab $$root --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/$(QUICKSTART) $(LAB_ARGS)

# From its folder, where its settings are; its template is found by this path.
app: environment-lab ## Open the pursuit as a page for a lecture hall: large type, a choice of problems (Voilà)
	@cd notebooks/app && JUPYTER_PATH="$(CURDIR)/notebooks/app:$$JUPYTER_PATH" "$(CURDIR)/$(RUN)" -m voila pursuit.ipynb $(APP_ARGS)

test: chromium $(CHECKS) ## Run every check below, in this order; stops at the first that fails (make -k test: runs all)
	@echo "Every check passed."

lint: environment-test ## Style: ruff
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check

types: environment-test ## Types: mypy, strict
	$(RUN) -m mypy

rooms: environment-test ## Which room may import which: import-linter
	$(ENVIRONMENT)/bin/lint-imports

unit: environment-test ## Tests of everything that needs no browser
	$(PYTEST) $(IN_PARALLEL) --ignore=tests/browser

rounding: environment-test ## Known answers and the ways to them again, as on another machine: other kernels, other last digits
	ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE $(PYTEST) $(IN_PARALLEL) -m rounding --other-data=1 $(MATHEMATICS)

# The exercises as students get them are run, and compared, by the unit tests: without a kernel for each.
notebooks: environment-test ## Notebooks run and give the outputs stored in them: nbval
	$(RUN) -m pytest --nbval --nbval-current-env --nbval-sanitize-with=tests/nbval_sanitize.cfg \
		--nbval-cell-timeout=300 notebooks/*.ipynb notebooks/app notebooks/exercises/solutions

browser: environment-test chromium ## JupyterLab, Notebook and Voilà in headless Chromium, driven by Playwright
	$(WITH_CHROMIUM) $(PYTEST) tests/browser

bench: environment-test chromium ## Measure speed, on a quiet machine; no part of the checks
	@for file in tests/benchmarks/bench_*.py; do \
		$(WITH_CHROMIUM) $(RUN) -m "tests.benchmarks.$$(basename "$$file" .py)" || exit 1; \
	done

# Without tests/browser/test_pull.py: under 7.3 "Inspect this saddle" does not come through where other threads are not
# heard. Colab, whose way that is, has a kernel of series 6, under which it does.
kernels: environment-test chromium ## Run what needs a kernel with older ones, which are fetched; no part of the checks
	@for version in $(OLDER_KERNELS); do \
		older="$(CURDIR)/$(ENVIRONMENT)/checks/ipykernel-$$version"; echo "ipykernel $$version"; \
		$(RUN) -m pip install --quiet --no-deps --upgrade --target "$$older" "ipykernel==$$version.*" && \
		PYTHONPATH="$$older" $(WITH_CHROMIUM) $(PYTEST) tests/test_widget_rest.py tests/test_pull.py \
			tests/browser/test_lab.py tests/browser/test_app.py || exit 1; \
	done

pictures: environment-test ## Make the pictures of the README's gallery again
	$(RUN) -m tests.gallery

chromium: environment-test
	@$(RUN) .ci/chromium.py

environment-lab environment-test: environment-%:
	@python="$$(sh .ci/find_python.sh "$(PYTHON)")" && exec "$$python" .ci/environment.py $*

clean: ## Remove the environment and everything built or cached
	rm -rf $(ENVIRONMENT) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
