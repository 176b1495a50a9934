"""What a user of ``infra/`` can do wrong: one line that names it, before anything is made."""


class InfraError(Exception):
    """A size, a name, a region or a declaration that the cloud would refuse; the message says what to correct."""
