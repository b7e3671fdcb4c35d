# make demo       set up, then run the whole recipe on the small embedded crawl
# make test       set up, then run the tests
# make check      format, lint and types
# make benchmark  what a page costs in each step, beside a bare loop; WARCS=... for your own pages
# make clean      remove what the others made

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check benchmark clean

demo: .venv/ready
	$(BIN)/pipeline run configs/tiny.toml

test: .venv/ready
	$(BIN)/python -m pytest

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

WARCS ?= configs/tiny/crawl/*.warc.gz
benchmark: .venv/ready
	$(BIN)/python -m benchmarks.end_to_end $(WARCS) --seconds 15

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Winnow needs Python 3.11 or newer; say which one: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[development]'
	touch .venv/ready

clean:
	rm -rf .venv runs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
