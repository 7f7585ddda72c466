# The two commands a fresh machine needs are `make demo` and `make test`; each does its own set-up.
PYTHON ?= python3
BIN := .venv/bin
# What is imported is compiled once: where this is set, each of the tests' audits would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint types sql rulebook tests mutants branches wheel lock clean

demo: .venv/ready
	$(BIN)/guideline-audit demo --out demo

# Each of the first five keeps one core busy and the other idle; the tests take both.
test: .venv/ready
	$(MAKE) -j 2 wheel types sql lint rulebook
	$(MAKE) tests

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

sql: .venv/ready
	$(BIN)/sqlfluff lint --processes 2 sql checks/rules

rulebook: .venv/ready
	$(BIN)/python -m audit.rulebook --check

tests: .venv/ready
	$(BIN)/pytest -n 2 --dist worksteal

# By hand, after a rule's SQL or vignettes changed (RULES="R14 R17"; minutes a rule): what no test would notice.
mutants: .venv/ready
	PYTHONPATH=.:tests/rules:tests/property $(BIN)/python tests/mutation/mutants.py $(RULES)

# By hand, twenty minutes: which clauses of the rules no vignette, or no generated patient, reaches.
branches: .venv/ready
	PYTHONPATH=.:tests/rules:tests/property $(BIN)/python tests/mutation/branches.py

# The wheel in an empty environment, outside the checkout: what a user installs has to run alone.
wheel: .venv/ready
	$(BIN)/python tests/wheel.py

.venv/ready: locks/dev.txt pyproject.toml
	# The newest pip: it installs in half the time that an older Python's own takes.
	test -x $(BIN)/python || $(PYTHON) -m venv --upgrade-deps .venv
	# Most of what is installed is never imported, and compiling it all would take half a minute.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r locks/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Run by hand when a dependency changes (needs uv): hash-pinned, for every platform, without any host's name.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet \
		pyproject.toml --output-file locks/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet \
		pyproject.toml --group dev --constraint locks/run.txt --output-file locks/dev.txt

clean:
	rm -rf .venv demo dist
