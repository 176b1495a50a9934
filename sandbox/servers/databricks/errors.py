"""Refusals of the API, in the shape and with the codes of the service: ``{"error_code": …, "message": …}``."""

STATUS = {
    "INVALID_PARAMETER_VALUE": 400,
    "INVALID_STATE": 400,
    "DIRECTORY_NOT_EMPTY": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "MALFORMED_REQUEST": 400,
    "UNAUTHENTICATED": 401,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "TEMPORARILY_UNAVAILABLE": 503,
}


class ApiError(Exception):
    """A request that cannot be served; ``code`` is one of the keys of ``STATUS``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        return STATUS[self.code]


def invalid(message: str) -> ApiError:
    return ApiError("INVALID_PARAMETER_VALUE", message)
