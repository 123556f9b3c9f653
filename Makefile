# make app        set up, make a sample run if there is no finished run, and serve the app; ARGS="--port 8600"
# make check      lint and types
# make test       what to run after a change: every module, every page, and the main job in a browser; minutes
# make test-slow  the rest: whole families of operators, networks and kills, fuzzing, the other browser tests
# make test-all   both; `make test ARGS="-k strokes"` runs a part of all tests
# make coverage   the tests of make test with a report of the lines that none of them reaches
# make trial      all but the browser tests ten times, in another order and from other seeds each time; N=3, SEEDS="7 8"
# make soak       the longer trials of faults, hostile input and load
# make translations  bring the catalogs in convnet_core/locale up to date with the texts in the source
# make bench      the measurements of docs/PERFORMANCE.md, about an hour

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
SOURCES := app.py setup.py convnet_core pages testing tests benchmarks

.PHONY: app check format translations test test-slow test-all coverage trial bench soak

app: $(VENV)/installed
	$(BIN)/python -m convnet_core app $(ARGS)

check: $(VENV)/installed-dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/python tests/support/unsafe_loading.py $$(find $(SOURCES) -name '*.py')
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

translations: $(VENV)/installed-dev
	$(BIN)/python -m testing.translations

# Two processes of one thread each: with two threads each they wait for each other. Files in their order: xdist would
# keep those of few and long tests for the end, where one process waits for the other.
IN_TWO := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/installed-dev
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(IN_TWO) -m "not slow"
endif

# The browser tests alone, as many of them watch a clock. Both parts run, whatever comes of the first.
test-slow: $(VENV)/installed-dev
	@$(IN_TWO) -m slow --ignore tests/e2e; suite=$$?; \
	$(BIN)/python -m pytest -m slow tests/e2e; browser=$$?; \
	echo "exit status: $$suite of the slow tests, $$browser of the slow browser tests"; \
	[ $$suite = 0 ] && [ $$browser = 0 ]

# Each part runs, whatever comes of the first.
test-all:
	@$(MAKE) test; quick=$$?; $(MAKE) test-slow && [ $$quick = 0 ]

coverage: $(VENV)/installed-dev
	$(IN_TWO) -m "not slow" --cov --cov-report=term:skip-covered --cov-report=html $(ARGS)

N ?= 10
SEEDS ?= $(shell seq $(N))
trial: $(VENV)/installed-dev
	@failed=; for seed in $(SEEDS); do \
	$(IN_TWO) -q --ignore tests/e2e --random-order --random-order-seed $$seed \
	--seed $$seed --hypothesis-seed $$seed $(ARGS) \
	|| failed="$$failed $$seed"; done; \
	echo "$(words $(SEEDS)) times; failed with the seeds:$${failed:- none}"; [ -z "$$failed" ]

# DATA: a folder of MNIST's IDX files, where $CONVNET_DATA_DIR does not say it. About an hour on two cores.
bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.training $(if $(DATA),--data-dir $(DATA))
	$(BIN)/python -m benchmarks.accuracy $(if $(DATA),--data-dir $(DATA))
	$(if $(BEFORE),$(BIN)/python -m benchmarks.click_to_verdict --before $(BEFORE))
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
