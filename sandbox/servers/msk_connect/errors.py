"""The service's errors: a status, a type that boto3 reads from a header, and a message."""


class ServiceError(Exception):
    status = 500
    type = "InternalServerErrorException"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequestError(ServiceError):
    status = 400
    type = "BadRequestException"


class NotFoundError(ServiceError):
    status = 404
    type = "NotFoundException"


class ConflictError(ServiceError):
    status = 409
    type = "ConflictException"
