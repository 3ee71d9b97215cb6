"""One device, two devices and two worker processes learn the same."""

import json
import os
import socket
import subprocess
import sys

import pytest

from motionflow.models.run_dir import RunDir
from tests import strategy_worker, tiny_run

MODELS = {  # and the strategies that they are learned with, beside one device
    "allconv": ["mirrored", "multi_worker"],
    "dense_sequence": ["mirrored"],
}


def start(strategy, jobs, **environment):
    command = [sys.executable, "-m", "tests.strategy_worker", strategy]
    return subprocess.Popen(
        [*command, json.dumps(jobs)],
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
    """The folder of the runs, and {strategy: {model: what was learned}}."""
    folder = tmp_path_factory.mktemp("runs")
    # 13 validation samples in batches of 4: the last leaves a replica without any.
    data = {
        "allconv": tiny_run.write_data(folder / "data", (12, 13, 1)),
        "dense_sequence": tiny_run.write_data(folder / "steps", (8, 5, 1), steps=True),
    }

    def jobs(strategy):
        (folder / strategy).mkdir()
        return [
            [model, str(data[model]), str(folder / strategy / model)]
            for model, strategies in MODELS.items()
            if strategy in (*strategies, "one_device")
        ]

    mirrored = start("mirrored", jobs("mirrored"))
    one = [strategy_worker.learn("one_device", *job) for job in jobs("one_device")]
    two = finish(mirrored)
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    shared = jobs("multi_worker")
    workers = [
        start(
            "multi_worker",
            shared,
            TF_CONFIG=json.dumps(
                {"cluster": cluster, "task": {"type": "worker", "index": index}}
            ),
        )
        for index in range(2)
    ]
    first, second = [finish(worker) for worker in workers]
    assert first == second
    learned = {"one_device": one, "mirrored": two, "multi_worker": first}
    return folder, {
        name: dict(zip(MODELS, found, strict=False)) for name, found in learned.items()
    }


@pytest.mark.parametrize(
    "model, strategy",
    [(model, strategy) for model, names in MODELS.items() for strategy in names],
)
def test_two_replicas_learn_what_one_does(answers, model, strategy):
    _, found = answers
    one, two = found["one_device"][model], found[strategy][model]
    assert (one["replicas"], two["replicas"]) == (1, 2)
    assert two["weights"] == pytest.approx(one["weights"], rel=1e-4)
    assert two["training"] == pytest.approx(one["training"], rel=1e-5)
    if model == "allconv":
        # Batch normalisation's moving variance is divided by n on several devices, and
        # by n - 1 on one; here n is 36.
        assert two["validation"] == pytest.approx(one["validation"], rel=2e-3)


@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker"])
def test_the_run_directory_is_one_devices(answers, strategy):
    folder, _ = answers
    names = [
        {path.name for path in (folder / name / "allconv").iterdir()}
        for name in ("one_device", strategy)
    ]
    assert names[0] == names[1]
    run_dir = RunDir.open(folder / strategy / "allconv")
    assert len(run_dir.read_history()) == 2
    assert run_dir.load_model().get_weights()
    best = RunDir.open(run_dir.checkpoints / "best")
    assert best.load_model().get_weights()
