# make app    set up and open the app
# make check  lint and types
# make soak   the longer trials of faults, hostile input and load
# make test   the whole test suite; `make test ARGS="-k strokes"` a part of it
# make trial  the suite without the browser ten times, in another order and from other seeds each time; N=3: three times

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
SOURCES := app.py setup.py convnet_core pages testing tests benchmarks

.PHONY: app check format test trial bench soak

app: $(VENV)/installed
	$(BIN)/streamlit run app.py

check: $(VENV)/installed-dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/python tests/support/unsafe_loading.py $$(find $(SOURCES) -name '*.py')
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

# Two processes, but for the browser tests, which watch a clock. Files in their order: xdist would keep those of few and
# long tests for the end, where one process waits for the other.
IN_TWO := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/e2e

# Both parts run, whatever comes of the first.
test: $(VENV)/installed-dev
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	@$(IN_TWO); suite=$$?; \
	$(BIN)/python -m pytest tests/e2e; browser=$$?; \
	echo "exit status: $$suite of the suite, $$browser of the browser tests"; \
	[ $$suite = 0 ] && [ $$browser = 0 ]
endif

N ?= 10
trial: $(VENV)/installed-dev
	@failed=; for seed in $$(seq $(N)); do \
	$(IN_TWO) -q --random-order --random-order-seed $$seed --seed $$seed --hypothesis-seed $$seed $(ARGS) \
	|| failed="$$failed $$seed"; done; \
	echo "$(N) times; failed with the seeds:$${failed:- none}"; [ -z "$$failed" ]

# DATA: a folder of MNIST's IDX files, where $CONVNET_DATA_DIR does not say it. About an hour on two cores.
bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.training $(if $(DATA),--data-dir $(DATA))
	$(BIN)/python -m benchmarks.accuracy $(if $(DATA),--data-dir $(DATA))
	for name in whole saved_models app growth performance; do $(BIN)/python -m benchmarks.$$name || exit 1; done

# Faults, hostile input and load, at most about 20 minutes on two cores; writes the table of docs/RELIABILITY.md.
soak: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.reliability

$(VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/installed-dev: $(VENV)/installed tests/requirements.txt
	$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	touch $@
