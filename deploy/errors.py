"""Errors that the person who deploys can fix."""


class DeployError(Exception):
    """One line: what was being done, to what, and the remedy."""
