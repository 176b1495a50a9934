"""What can go wrong in a stage, said so that the person on call knows which folder or widget to look at."""


class StageError(RuntimeError):
    """A stage found the lake, the warehouse or its own numbers in a state it must not continue from."""


class TransientSourceError(StageError):
    """A source could not be reached or kept refusing, for longer than it is worth waiting: a restart may help."""


class DataLossError(StageError):
    """Records that should be read are not there any more; no restart brings them back."""
