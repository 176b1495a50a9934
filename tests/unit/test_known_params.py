"""A request with a word that no DAG knows is refused, and not carried out without it."""

from types import SimpleNamespace

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.defaults import DEFAULT_ARGS
from pinterest_pipeline.dag.known_params import refuse_unknown_conf


def run(conf, *params):
    dag = SimpleNamespace(dag_id="d", params=dict.fromkeys(params))
    return refuse_unknown_conf({"dag": dag, "dag_run": SimpleNamespace(conf=conf)})


@pytest.mark.parametrize("conf", [None, {}, {"action": "stop"}, {"action": "stop", "force": True}])
def test_what_the_dag_knows_is_let_through(conf):
    run(conf, "action", "force")


def test_every_unknown_key_is_named_with_those_that_are_known():
    with pytest.raises(PermanentError, match=r"^d was triggered with pause, stopp, .*: action, force\."):
        run({"stopp": True, "action": "stop", "pause": True}, "force", "action")
    with pytest.raises(PermanentError, match="no param at all"):
        run({"x": 1})


def test_every_task_of_every_dag_refuses():
    assert DEFAULT_ARGS["pre_execute"] is refuse_unknown_conf
