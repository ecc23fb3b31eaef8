# What a contributor runs. Every target sets up what it needs; `make demo` and `make test` start from
# nothing but python3, git, make and root or sudo.

.DEFAULT_GOAL := help
BIN := .venv/bin
READY := .venv/.ready

# Silences the theme's banner about its successor: it is advice to maintainers, not about this build.
docs: export NO_MKDOCS_2_WARNING := 1

.PHONY: help demo test lint docs bench clean

help: ## Show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(READY) ## Seed the demo shop, optimize its database, show before and after
	$(BIN)/perfwright demo

test: $(READY) ## Run the test suite
	scripts/install_postgresql.sh
	scripts/install_redis.sh
	scripts/install_local_model.sh
	$(BIN)/python -m pytest

lint: $(READY) ## Check format, style, types and import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY) ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

bench: ## List the benchmarks: each is a program that prints a table
	@for f in benchmarks/[!_]*.py; do [ -e "$$f" ] && sed -n "1s|\"\"\"\(.*[^\"]\)\"*$$|$$f\t\1|p" "$$f"; done | expand -t 40

clean: ## Remove the environment, caches and builds; .perfwright/ holds your ledger and stays
	rm -rf .venv .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist htmlcov site
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Newer than what it was made from, so a second call costs nothing.
$(READY): pyproject.toml constraints.txt scripts/setup.sh
	scripts/setup.sh
	@touch $@
