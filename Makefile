# Each target sets up what it needs. PYTHON names an interpreter of 3.11 or newer where `python3` is older.
.PHONY: run demo test lint bench chaos simulate
VENV := .venv/bin

run: .venv/run.stamp      ## the service, with the demonstration first; stays up until Ctrl-C
	$(VENV)/lienthong demo --stay
demo: .venv/run.stamp     ## the demonstration alone
	$(VENV)/lienthong demo
test: .venv/dev.stamp     ## all tests, real servers included
	sh tests/support/system-packages.sh && $(VENV)/python -m pytest
lint: .venv/dev.stamp     ## format, rules, types, import contracts, container files
	sh tests/support/lint.sh
bench: .venv/dev.stamp    ## speed and memory, as ratios measured side by side
	$(VENV)/python -m tests.bench
chaos: .venv/dev.stamp    ## the kill tests, hundreds of cycles, embedded and distributed
	LIENTHONG_KILL_CYCLES=300 LIENTHONG_STRIKES=70 $(VENV)/python -m pytest -m kill --timeout=0
simulate: .venv/dev.stamp ## the simulation, SEEDS of its runs; stops at the first that fails and says how to have it again
	$(VENV)/python -m tests.simulation --seeds $(or $(SEEDS),100000)

.venv/run.stamp: pyproject.toml deploy/requirements.lock deploy/setup.sh
	sh deploy/setup.sh .
.venv/dev.stamp: pyproject.toml deploy/requirements.lock deploy/setup.sh
	sh deploy/setup.sh '.[dev]'
