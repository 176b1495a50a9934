# Two commands matter: `make demo` runs the whole pipeline, `make test` proves it. Both set up what they need.
.DEFAULT_GOAL := help
.PHONY: help setup demo up down status env report seed test lint format bench mwaa deploy docs

SANDBOX := .venv/sandbox/bin/python -m sandbox
DEPLOY := .venv/sandbox/bin/python -m deploy
RUFF := .venv/airflow/bin/ruff

help:            ## Say what can be made
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup:           ## Install the three environments and the jars (resumable; part of demo and test)
	@PYTHON="$(PYTHON)" sh sandbox/setup.sh

demo: setup      ## Run the whole pipeline on generated posts and print the report
	@$(SANDBOX) demo

up: setup        ## Start the sandbox and leave it running
	@$(SANDBOX) up

down: setup      ## Stop the sandbox; its data stays
	@$(SANDBOX) down

status: setup    ## Say what runs where
	@$(SANDBOX) status

env: setup       ## Print export lines for any client: eval "$$(make -s env)"
	@$(SANDBOX) env

report: setup    ## Print the report of the newest run again
	@$(SANDBOX) report

seed: setup      ## Load generated posts into the source database of a running sandbox
	@$(SANDBOX) seed

test: setup lint ## Lint, then all tests, fast to slow, on a sandbox of their own
	@.venv/sandbox/bin/python tests/run.py

lint: setup      ## ruff, and mypy strict on plugins/ and include/spark/
	@$(RUFF) check . && $(RUFF) format --check .
	@MYPYPATH=plugins .venv/airflow/bin/mypy plugins
	@MYPYPATH=include/spark .venv/spark/bin/mypy include/spark/pinterest_spark

format: setup    ## Let ruff mend what it can
	@$(RUFF) check --fix . ; $(RUFF) format .

# `make X NAME=value` becomes an option; a variable of that name in the caller's environment does not.
option = $(if $(filter command,$(origin $(1))),$(2) "$($(1))")

mwaa: setup      ## Build the bundle for Amazon MWAA: [AIRFLOW=3.0.6] [CONSTRAINTS=public] [WHEELS=1]
	@$(DEPLOY) mwaa $(call option,AIRFLOW,--airflow) $(call option,CONSTRAINTS,--packages) $(if $(WHEELS),--packages wheels)

deploy: mwaa     ## Upload the bundle: BUCKET=… [PREFIX=…] [ENVIRONMENT=…] [ONLY=environment|dags] [DRY_RUN=1]
	@$(if $(BUCKET),,echo "deploy: say which bucket: make deploy BUCKET=…" >&2; exit 1;) \
	$(DEPLOY) upload "$(BUCKET)" $(call option,PREFIX,--prefix) $(call option,ENVIRONMENT,--environment) \
	    $(call option,ONLY,--only) $(if $(DRY_RUN),--dry-run)

bench: setup     ## Print the numbers of benchmarks/, each a ratio from one run
	@.venv/sandbox/bin/python benchmarks/run.py

docs:            ## Build the site of docs/ into dist/docs; any warning or broken link fails
	@PYTHON="$(PYTHON)" sh sandbox/setup.sh docs
	@rm -rf dist/docs && .venv/docs/bin/python -m sphinx -W --keep-going -q -b html -d dist/.doctrees -E docs dist/docs
	@echo "docs: open dist/docs/index.html"
