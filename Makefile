# Everything runs in .venv at the project's root. PLACET_HOME, if set, moves what Placet keeps.

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2

.PHONY: run test check bench bench-ui screenshots venv model lock clean

run: model
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/placet; \
	else $(BIN)/placet decide --demo || [ $$? -eq 3 ]; fi

test: model
	$(BIN)/pytest -n $(WORKERS)

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy docs/*.py
	$(BIN)/lint-imports

bench: model
	$(BIN)/placet bench

screenshots: model
	$(BIN)/python docs/screenshots.py

bench-ui: venv
	$(BIN)/python -m tests.tui.measure

venv: .venv/.ready

model: venv
	@$(BIN)/placet models path >/dev/null 2>&1 || $(BIN)/placet models pull

# Dependencies at the versions of the lock, then the project itself, editable.
.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# The versions now in .venv become the lock.
lock: venv
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
