"""What the person who deploys can mend."""


class DeployError(Exception):
    """One line: what was being done, to what, and the cure."""
