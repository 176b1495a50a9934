"""What documents may say of programs that cannot be asked here, and what runs the targets of the Makefile."""

# Targets of the Makefile that documents name: what runs them. A new one is added here with the test that covers it.
MAKE_RUN_BY = {
    "help": "tests/docs/test_site.py",
    "docs": "tests/docs/test_site.py",
    "demo": "the CI, after make test",
    "test": "the CI",
    "lint": "make test",
    "format": "by hand: it changes files",
    "bench": "by hand: it takes minutes",
    "mutants": "by hand: it takes minutes; its list in tests/sandbox/test_mutants.py",
    "up": "every group with stand-ins, tests/conftest.py",
    "env": "every group with stand-ins, tests/conftest.py",
    "down": "tests/run.py, at its end",
    "status": "tests/sandbox",
    "report": "make demo, at its end",
    "airflow": "tests/e2e/test_documented_commands.py",
    "seed": "tests/e2e/conftest.py",
    "setup": "make test",
    "installed": "make demo",
    "lock": "by hand, and monthly in .github/workflows/newest.yml: it asks registries",
    "deploy-plan": "tests/docs/test_deploy_plan.py",
    "infra": "tests/infra/test_templates.py",
    "infra-check": "make test: its group tests/infra",
    "integrity": "make test: its two groups tests/dags",
    "mwaa": "tests/bundle",
    "deploy": "tests/contract/sandbox_env/test_deploy.py",
}
ASTRO = {
    "dev": [
        "init",
        "start",
        "stop",
        "restart",
        "kill",
        "ps",
        "logs",
        "run",
        "bash",
        "pytest",
        "parse",
        "build",
        "upgrade-test",
        "object",
    ],
    "config": ["set", "get"],
    "deploy": [],
    "login": [],
    "version": [],
}
DATABRICKS = {  # of the Databricks CLI 0.205 and newer: arguments, options
    ("workspace", "import-dir"): (2, {"--overwrite", "--exclude-hidden-files"}),
    ("secrets", "create-scope"): (1, {"--initial-manage-principal"}),
    ("secrets", "put-secret"): (2, {"--string-value", "--bytes-value"}),
    ("secrets", "list-secrets"): (1, set()),
    ("secrets", "delete-scope"): (1, set()),
    ("workspace", "delete"): (1, {"--recursive"}),
    ("instance-profiles", "add"): (1, {"--skip-validation", "--is-meta-instance-profile"}),
    ("instance-profiles", "remove"): (1, set()),
}
KAFKA_TOPICS = {
    "--bootstrap-server",
    "--command-config",
    "--create",
    "--if-not-exists",
    "--topic",
    "--partitions",
    "--replication-factor",
    "--config",
}
PSQL = {"--host": 1, "--port": 1, "--username": 1, "--dbname": 1, "--set": 1, "--file": 1, "--command": 1}
BY_HAND = {
    "echo": "prints",
    "jq": "reads a field of a JSON text",
    "pip": "sets up a reader's own machine",
    "git": "the reader's own clone",
    "cp": "copies an example",
}
