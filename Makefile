# make demo: on-the-fly learning of copper, start to finish.
# make test: lint and tests at the same time, the tests on WORKERS processes (2).
# make test-all: lint and every test, also the slow ones, before a release.
# make docs: the pages of docs/, into build/docs; no network is needed to build or to read them.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2

.PHONY: demo test tests test-all test-slow lint docs bench faults clean

demo: .venv/.installed
	$(BIN)/snap-al demo

test: .venv/.installed-test
	$(MAKE) --no-print-directory --keep-going --jobs=2 lint tests

tests: .venv/.installed-test
	$(PYTEST) -n $(WORKERS) --dist worksteal --durations=30

test-all: lint
	$(PYTEST) -m ''

test-slow: .venv/.installed-test
	$(PYTEST) -m slow

lint: .venv/.installed-test
	$(BIN)/ruff check snap_al tests
	$(BIN)/ruff format --check snap_al tests
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint docker/Dockerfile

docs: .venv/.installed-test
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs

bench: .venv/.installed-test
	for script in tests/bench/bench_*.py; do $(BIN)/python $$script || exit 1; done

faults: .venv/.installed-test
	$(BIN)/python tests/faults

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	touch $@

.venv/.installed-test: .venv/.installed
	$(PIP) -e '.[fitsnap,mcmc,nn,pops,cluster,parsl,dask,executorlib,tblite,docs,test,lint]'
	touch $@

clean:
	rm -rf .venv build dist snap_al_demo
