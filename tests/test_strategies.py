"""One device, two devices and two worker processes learn the same."""

import json
import os
import socket
import subprocess
import sys

import pytest

from motionflow.models.run_dir import RunDir
from tests import strategy_worker, tiny_run

pytestmark = pytest.mark.slow

# Beside what one device learns: each strategy, each kind of network.
LEARNED = [("allconv", "multi_worker"), ("dense_sequence", "mirrored")]


def start(strategy, job, **environment):
    command = [sys.executable, "-m", "tests.strategy_worker", strategy, *job]
    return subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return json.loads(output.splitlines()[-1])


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The folder of the runs, and what was learned by (model, strategy)."""
    folder = tmp_path_factory.mktemp("runs")
    # 13 validation samples in batches of 4: the last leaves a replica without any.
    data = {
        "allconv": tiny_run.write_data(folder / "data", (12, 13, 1)),
        "dense_sequence": tiny_run.write_data(folder / "steps", (8, 5, 1), steps=True),
    }

    def job(model, strategy):
        return [model, str(data[model]), str(folder / f"{model} {strategy}")]

    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    tasks = [{"type": "worker", "index": i} for i in range(2)]
    workers = [json.dumps({"cluster": cluster, "task": task}) for task in tasks]
    environments = {
        "mirrored": [{}],
        "multi_worker": [{"TF_CONFIG": worker} for worker in workers],
    }
    processes = [
        [start(s, job(model, s), **environment) for environment in environments[s]]
        for model, s in LEARNED
    ]
    found = {
        (model, "one_device"): strategy_worker.learn(
            "one_device", *job(model, "one_device")
        )
        for model in data
    }
    for key, started in zip(LEARNED, processes, strict=True):
        found[key], *others = [finish(process) for process in started]
        assert all(other == found[key] for other in others)
    return folder, found


@pytest.mark.parametrize("model, strategy", LEARNED)
def test_two_replicas_learn_what_one_does(answers, model, strategy):
    _, found = answers
    one, two = found[model, "one_device"], found[model, strategy]
    assert (one["replicas"], two["replicas"]) == (1, 2)
    assert two["weights"] == pytest.approx(one["weights"], rel=1e-4)
    assert two["training"] == pytest.approx(one["training"], rel=1e-5)
    # Batch normalisation's moving variance is divided by n on several devices, and
    # by n - 1 on one; here n is at least 36.
    assert two["validation"] == pytest.approx(one["validation"], rel=2e-3)


@pytest.mark.parametrize("model, strategy", LEARNED)
def test_the_run_directory_is_one_devices(answers, model, strategy):
    folder, _ = answers
    names = [
        {path.name for path in (folder / f"{model} {name}").iterdir()}
        for name in ("one_device", strategy)
    ]
    assert names[0] == names[1]
    run_dir = RunDir.open(folder / f"{model} {strategy}")
    assert len(run_dir.read_history()) == 2
    assert run_dir.load_model().get_weights()
    best = RunDir.open(run_dir.checkpoints / "best")
    assert best.load_model().get_weights()
