"""CloudFormation templates, synthesized by CDK in Python: ``python -m infra.aws`` writes ``templates/``."""
