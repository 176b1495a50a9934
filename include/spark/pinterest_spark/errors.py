"""What can go wrong in a stage, said so that the person on call knows which folder or widget to look at."""


class StageError(RuntimeError):
    """A stage found the lake, the warehouse or its own numbers in a state it must not continue from."""
