"""One device, two devices and two worker processes learn the same."""

import json
import os
import socket
import subprocess
import sys

import pytest

from motionflow.models.run_dir import RunDir
from tests import tiny_run


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """13 validation samples in batches of 4: the last leaves a replica without any."""
    return tiny_run.write_data(tmp_path_factory.mktemp("data") / "data", (12, 13, 1))


def start(strategy, data_dir, run_dir, model="allconv", **environment):
    command = [sys.executable, "-m", "tests.strategy_worker", strategy]
    return subprocess.Popen(
        [*command, str(data_dir), str(run_dir), model],
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
def answers(data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    one = finish(start("one_device", data_dir, folder / "one_device"))
    two = finish(start("mirrored", data_dir, folder / "mirrored"))
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    workers = [
        start(
            "multi_worker",
            data_dir,
            folder / "multi_worker",
            TF_CONFIG=json.dumps(
                {"cluster": cluster, "task": {"type": "worker", "index": index}}
            ),
        )
        for index in range(2)
    ]
    first, second = [finish(worker) for worker in workers]
    assert first == second
    answers = {"one_device": one, "mirrored": two, "multi_worker": first}
    return folder, answers


@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker"])
def test_two_replicas_learn_what_one_does(answers, strategy):
    _, found = answers
    one, two = found["one_device"], found[strategy]
    assert (one["replicas"], two["replicas"]) == (1, 2)
    assert two["weights"] == pytest.approx(one["weights"], rel=1e-4)
    assert two["training"] == pytest.approx(one["training"], rel=1e-5)
    # Batch normalisation's moving variance is divided by n on several devices, and by
    # n - 1 on one; here n is 36.
    assert two["validation"] == pytest.approx(one["validation"], rel=2e-3)


@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker"])
def test_the_run_directory_is_one_devices(answers, strategy):
    folder, _ = answers
    names = [
        {path.name for path in (folder / name).iterdir()}
        for name in ("one_device", strategy)
    ]
    assert names[0] == names[1]
    run_dir = RunDir.open(folder / strategy)
    assert len(run_dir.read_history()) == 2
    assert run_dir.load_model().get_weights()
    best = RunDir.open(run_dir.checkpoints / "best")
    assert best.load_model().get_weights()


def test_two_replicas_learn_the_same_sequences(tmp_path):
    data_dir = tiny_run.write_data(tmp_path / "data", (8, 5, 1), steps=True)
    one, two = (
        finish(start(name, data_dir, tmp_path / name, "dense_sequence"))
        for name in ("one_device", "mirrored")
    )
    assert two["replicas"] == 2
    assert two["weights"] == pytest.approx(one["weights"], rel=1e-4)
    assert two["training"] == pytest.approx(one["training"], rel=1e-5)
