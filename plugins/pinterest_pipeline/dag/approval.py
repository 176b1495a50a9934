"""A person's approval before what cannot be undone, where Airflow has a step for it (3.1 and newer)."""

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import BaseOperator

from pinterest_pipeline.common.compat import AirflowException
from pinterest_pipeline.common.errors import PermanentError

if TYPE_CHECKING:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
    from airflow.sdk import Context
else:
    try:
        from airflow.providers.standard.operators.hitl import ApprovalOperator
    except (ImportError, AirflowException):  # Airflow 3.0: the provider's module raises an error of its own

        class ApprovalOperator(BaseOperator):
            """Takes the arguments of the real one, and cannot ask."""

            template_fields = ("subject", "body")

            def __init__(self, *, subject, body=None, defaults=None, response_timeout=None, **kwargs):  # noqa: ARG002
                super().__init__(**kwargs)
                self.subject = subject
                self.body = body

            def execute(self, context):  # noqa: ARG002
                raise PermanentError(
                    f"{self.task_id}: this Airflow cannot ask a person (3.1 and newer can): check its "
                    "question, then run again with the param that waives the approval."
                )


class ApproveOperator(ApprovalOperator):
    """Ask a person, under *Required Actions* of the UI, and skip the next tasks unless the person approves.

    No answer within ``response_timeout`` is a rejection. On Airflow 3.0, which cannot ask, the task fails unless the
    approval is waived.

    :param subject: The question. (templated)
    :param waived: True = go on without asking. (templated)
    """

    template_fields: Collection[str] = ("subject", "body", "waived")

    def __init__(
        self, *, waived: bool | str = False, response_timeout: timedelta = timedelta(hours=4), **kwargs: Any
    ) -> None:
        super().__init__(response_timeout=response_timeout, defaults="Reject", **kwargs)
        self.waived = waived

    @override
    def execute(self, context: "Context") -> Any:
        if str(self.waived).strip().lower() == "true":
            self.log.warning("The approval is waived: %s", self.subject)
            return {"chosen_options": ["Approve"], "waived": True}
        return super().execute(context)
