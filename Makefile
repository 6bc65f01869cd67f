# Every target works on a machine that has only python3 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Without an NVIDIA driver, pin the tested CPU build of torch.
CONSTRAINTS ?= $(if $(shell command -v nvidia-smi 2>/dev/null),,-c constraints-cpu.txt)
JOBS ?= 2
PRESET ?= laptop
# Threads that spin while another process holds their core slow small problems many times over.
export OMP_WAIT_POLICY ?= passive

.DEFAULT_GOAL := help
.PHONY: help check test test-all test-instructions soundness scoreboard figures report docs notebooks dist lint format clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.run: pyproject.toml constraints-cpu.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[dev,solvers,dask,slurm,peers,docs]'
	@touch $@

check: $(VENV)/.run  ## the main job: check every proof, confront it with measurements, print the verdicts
	$(BIN)/python -m theory check
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m numerics check  # two thread pools get in each other's way
	@echo "Go on: '. $(BIN)/activate', then sam-prove list, sam-measure --help, sam-figures list (README: What it does)"

test: $(VENV)/.dev  ## the fast tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not slow"

test-all: $(VENV)/.dev  ## every test, the slow ones included
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

# Sums are added up in another order by other instructions: no verdict may hang on the last bit.
INSTRUCTIONS ?= default avx2
test-instructions: $(VENV)/.dev  ## the fast numerical tests under other instruction sets than this processor's
	for set in $(INSTRUCTIONS); do \
	  echo "instruction set: $$set"; \
	  ATEN_CPU_CAPABILITY=$$set $(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup -m "not slow" \
	    tests/numerics tests/paper_figures || exit 1; \
	done

soundness: $(VENV)/.run  ## try to fool the kernel, and report what it rejected
	$(BIN)/python -m theory.soundness

DRAWS ?= 10000
scoreboard: $(VENV)/.run  ## random models and matrices against independent oracles: right, refused, wrong
	$(BIN)/python -m numerics.soundness --draws $(DRAWS) --jobs $(JOBS) --out build/scoreboard.json

figures: $(VENV)/.run  ## rebuild every figure into figures/; PRESET=smoke for a first look
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[solvers]'
	$(BIN)/python -m paper_figures build all --preset $(PRESET)

report: $(VENV)/.run  ## one HTML page with every proof and measurement: build/report.html
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m paper_figures report --out build/report.html --measure

docs: $(VENV)/.dev  ## the documentation site, into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet -f docs/generate/mkdocs.yml

notebooks: $(VENV)/.dev  ## execute the notebooks
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[notebooks]'
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --nbmake --nbmake-timeout=120 -n $(JOBS) notebooks

dist: $(VENV)/.dev  ## wheel and sdist, into dist/
	$(BIN)/python -m build --no-isolation --outdir dist

lint: $(VENV)/.dev  ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the environment and everything that can be rebuilt
	rm -rf $(VENV) build dist figures results *.egg-info .pytest_cache .mypy_cache .ruff_cache
