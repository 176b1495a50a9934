"""Refusals of the Databricks API that a caller can do something about."""

from pinterest_pipeline.common.errors import PermanentError


class NotThereError(PermanentError):
    """404, or 400 for an object that is gone; ``code`` tells both from a path that is not served."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class RefusedError(PermanentError):
    """401 or 403.

    :param is_expired: 401: the service does not know the token, which may have been replaced just now.
    """

    def __init__(self, message: str, *, is_expired: bool) -> None:
        super().__init__(message)
        self.is_expired = is_expired
