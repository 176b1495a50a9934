# Two commands matter: `make demo` runs the whole pipeline, `make test` proves it. Both set up what they need.
.DEFAULT_GOAL := help
.PHONY: help setup installed demo up down status env report open airflow seed test integrity mutants lint format bench lock mwaa \
    deploy docs infra infra-check deploy-plan

SANDBOX := .venv/sandbox/bin/python -m sandbox
# What asks or stops a sandbox installs nothing: where nothing is installed, there is none.
EXISTING = if [ ! -x .venv/sandbox/bin/python ]; then \
    echo "$@: nothing is installed here, so no sandbox runs; \`make demo\` installs and starts one" >&2; \
    exit $(if $(filter down,$@),0,1); fi; $(SANDBOX)
DEPLOY := .venv/sandbox/bin/python -m deploy
RUFF := .venv/airflow/bin/ruff

help:            ## Say what can be made
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup:           ## Install all that demo and test need (resumable; they do it by themselves)
	@PYTHON="$(PYTHON)" sh sandbox/run/setup.sh test

installed:
	@PYTHON="$(PYTHON)" sh sandbox/run/setup.sh run

demo: installed  ## Run the whole pipeline on generated posts and print the report
	@$(SANDBOX) demo

up: installed    ## Start the sandbox and leave it running
	@$(SANDBOX) up

down:            ## Stop the sandbox; its data stays
	@$(EXISTING) down

status:          ## Say what runs where
	@$(EXISTING) status

env:             ## Print export lines for any client: eval "$$(make -s env)"
	@$(EXISTING) env

report:          ## Print the report of the newest run again [VERBOSE=1: every number, in tables]
	@$(EXISTING) report $(if $(VERBOSE),--verbose)

open:            ## Open the pipeline's page in Airflow, signed in, in this machine's browser
	@$(EXISTING) open

airflow:         ## Run Airflow's command line in the sandbox: make airflow ARGS="dags list"
	@$(EXISTING) airflow $(ARGS)

seed:            ## Load generated posts into the source database of a running sandbox
	@$(EXISTING) seed

test: setup lint ## Lint, then all tests in three lanes, with sandboxes of their own
	@.venv/sandbox/bin/python tests/run.py

integrity: setup ## Hold the DAGs to the policy of tests/dags, on MWAA's newest Airflow 3 and its oldest
	@.venv/sandbox/bin/python tests/run.py tests/dags

mutants: setup   ## Change product code line by line, print which mutations no test notices: [ONLY="name …"]
	@.venv/sandbox/bin/python tests/mutants/run.py $(ONLY)

lint: setup      ## ruff, the imports between folders, and mypy strict on plugins/ and include/spark/
	@$(RUFF) check . && $(RUFF) format --check .
	@PYTHONPATH=plugins:include/spark .venv/airflow/bin/lint-imports --no-cache --no-logo .importlinter.toml
	@MYPYPATH=plugins .venv/airflow/bin/mypy plugins
	@MYPYPATH=include/spark .venv/spark/bin/mypy include/spark/pinterest_spark

format: setup    ## Let ruff fix what it can
	@$(RUFF) check --fix . ; $(RUFF) format .

# Given to make, never taken from the caller's environment, where these names may mean something else.
AIRFLOW :=
ENV :=
NAME :=
REGION :=
CONSTRAINTS :=
ENVIRONMENT :=
MWAA_IMAGES :=
ONLY :=
PREFIX :=

mwaa: installed  ## Build the bundle for Amazon MWAA: [AIRFLOW=3.0.6] [CONSTRAINTS=public] [WHEELS=1]
	@$(DEPLOY) mwaa $(if $(AIRFLOW),--airflow "$(AIRFLOW)") \
	    $(if $(CONSTRAINTS),--packages "$(CONSTRAINTS)") $(if $(WHEELS),--packages wheels)

deploy: mwaa     ## Upload the bundle: BUCKET=… [PREFIX=…] [ENVIRONMENT=…] [ONLY=environment|dags] [DRY_RUN=1]
	@$(if $(BUCKET),,echo "deploy: say which bucket: make deploy BUCKET=…" >&2; exit 1;) \
	$(DEPLOY) upload "$(BUCKET)" $(if $(PREFIX),--prefix "$(PREFIX)") $(if $(ONLY),--only "$(ONLY)") \
	    $(if $(ENVIRONMENT),--environment "$(ENVIRONMENT)") $(if $(DRY_RUN),--dry-run)

lock: setup      ## Compile every pin again: [UPGRADE=1] [MWAA_IMAGES=… to move to the newest Airflow of MWAA]
	@.venv/tools/bin/python -m sandbox.run.setup.lock $(if $(UPGRADE),--upgrade) \
	    $(if $(MWAA_IMAGES),--mwaa-images "$(MWAA_IMAGES)")

bench: setup     ## Print the numbers of benchmarks/, each a ratio from one run
	@.venv/sandbox/bin/python benchmarks/run.py

docs:            ## Build the site of docs/ into dist/docs; any warning or broken link fails
	@PYTHON="$(PYTHON)" sh sandbox/run/setup.sh docs
	@rm -rf dist/docs && .venv/docs/bin/python -m sphinx -W --keep-going -q -b html -d dist/.doctrees -E docs dist/docs
	@echo "docs: open dist/docs/index.html"

deploy-plan: setup ## Print each command from an empty account on: [ENV=small] [NAME=…] [REGION=…] [UNDO=1] [GUIDE=1]
	@.venv/sandbox/bin/python -m infra.plan $(if $(ENV),--env "$(ENV)") $(if $(NAME),--name "$(NAME)") \
	    $(if $(REGION),--region "$(REGION)") $(if $(UNDO),--undo) $(if $(GUIDE),--guide)

infra:           ## Write the CloudFormation templates of infra/aws again
	@PYTHON="$(PYTHON)" sh sandbox/run/setup.sh infra
	@.venv/infra/bin/python -m infra.aws

infra-check:     ## Check templates, policies and what they have in common with the rest; part of make test
	@PYTHON="$(PYTHON)" sh sandbox/run/setup.sh infra
	@./.venv/infra/bin/python tests/run.py tests/infra
