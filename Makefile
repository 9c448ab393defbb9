# The four commands that matter: make demo, make test, make check, make bench.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
FAISS := $(shell command -v nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
STAMP := $(VENV)/.set-up
ALONE := tests/ingest/test_resume.py tests/archive/test_on_ray.py

.PHONY: setup models demo test check conformance bench quality soak clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e ".[$(FAISS),nano,speech,ocr,hicom,archive,train,dev]"
	touch $(STAMP)

models: setup
	$(BIN)/hicom-agent models pull

demo: models
	$(BIN)/python examples/demo.py

# two processes of one thread each do more than one with two; what a file indexes stays in one process.
# The kills of an indexer, and Ray with its dozen processes, have the machine to themselves.
test: models
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ALONE:%=--ignore %)
	$(BIN)/python -m pytest -q $(ALONE)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

conformance: setup
	$(BIN)/python -m tests.conformance.run
	$(BIN)/python -m tests.conformance.inspector

bench: models
	$(BIN)/python benchmarks/ingest.py

quality: models
	$(BIN)/python benchmarks/quality.py
	$(BIN)/python benchmarks/quality_table.py

soak: models
	$(BIN)/python benchmarks/soak.py

clean:
	rm -rf $(VENV) build .demo .bench .conformance
