"""Which runs a sweep has, when one is finished, and what becomes of them."""

import json
import sys
from pathlib import Path

import pytest

from motionflow.commands.sweep import parse
from motionflow.errors import InputError
from motionflow.training import sweep

FAKE = [sys.executable, str(Path(__file__).parent / "fake_training.py")]


@pytest.fixture
def make(data, tmp_path):
    """Makes the runs of a sweep in tmp_path."""

    def make_runs(grid=(), groups=(), base=""):
        base = f"--data_dir={data.path} --epochs=2 {base}"
        return sweep.make_runs(tmp_path, base, grid, groups, parse)

    return make_runs


def names_of(runs):
    return [run.path.name for run in runs]


def test_groups_are_multiplied_with_the_grid(make):
    runs = make(
        ["learning_rate=1e-3,3e-4", "--mirror=true,false"],
        ["", "--focal_gamma=2 dropout=0"],
    )
    assert names_of(runs) == [
        f"{group}learning_rate={rate}+mirror={mirror}"
        for group in ("", "focal_gamma=2+dropout=0+")
        for rate in ("1e-3", "3e-4")
        for mirror in ("true", "false")
    ]
    assert runs[7].flags == {
        "focal_gamma": "2",
        "dropout": "0",
        "learning_rate": "3e-4",
        "mirror": "false",
    }
    found = [runs[7].settings[name] for name in runs[7].flags]
    assert found == [2.0, 0.0, 3e-4, False]
    assert runs[0].settings["focal_gamma"] == 0 and runs[0].settings["epochs"] == 2


def test_a_command_line_is_base_then_swept_flags_then_the_folder(make, data, tmp_path):
    (tmp_path / "base.flags").write_text("--run_dir=elsewhere\n--dropout=0.2\n")
    base = f"--flagfile={tmp_path / 'base.flags'} '--profile_steps=1, 2'"
    (run,) = make(["dropout=0.1"], base=base)
    assert run.arguments == [
        f"--data_dir={data.path}",
        "--epochs=2",
        f"--flagfile={tmp_path / 'base.flags'}",
        "--profile_steps=1, 2",
        "--dropout=0.1",
        f"--run_dir={tmp_path / 'dropout=0.1'}",
    ]
    assert run.settings["run_dir"] == str(run.path) == f"{tmp_path}/dropout=0.1"
    assert (run.settings["dropout"], run.settings["profile_steps"]) == (0.1, "1, 2")


def test_names_are_safe_for_files_and_the_same_in_a_larger_sweep(make):
    assert sweep.run_name({}) == "base"
    flags = {"data_dir": "/data/fold s/1", "l2": "1e-05"}
    assert sweep.run_name(flags) == "data_dir=data_fold_s_1+l2=1e-05"
    assert sweep.run_name({"data_dir": "../é*?[a]\n"}) == "data_dir=.._é_a"
    long = [sweep.run_name({"data_dir": f"{'x' * 300}{i}"}) for i in range(2)]
    assert len(set(long)) == 2 and max(map(len, long)) < 100
    few, many = make(["seed=1"], [""]), make(["seed=0,1,2"], ["", "dropout=0"])
    assert set(names_of(few)) <= set(names_of(many))


@pytest.mark.parametrize(
    ("grid", "groups", "message"),
    [
        ([], [], "nothing to sweep"),
        (["mirorr=true"], [], "flag 'mirorr'. Did you mean: mirror"),
        (["dropout=0,2"], [], "--dropout=2"),
        (["epochs=3,many"], [], "epochs=many"),
        (["nomirror=true"], [], "nomirror=true does not take an argument"),
        (["model=allconv,nosuch"], [], "model=nosuch"),
        (["dropout=0,"], [], "dropout="),
        (["dropout"], [], "'dropout' is not of the form FLAG=VALUE"),
        ([], ["dropout=0 0.1"], "'0.1' is not of the form"),
        ([], ["dropout='0"], "No closing quotation"),
        (["dropout=0,0.1", "dropout=0.2"], [], "dropout is set twice"),
        (["dropout=0"], ["dropout=0.2"], "dropout is set twice"),
        ([], ["dropout=0 dropout=1"], "dropout is set twice"),
        (["dropout=0,0.1,0"], [], "two runs of the sweep are called dropout=0"),
        (["run_dir=a,b"], [], "run_dir is not to be swept"),
        (["data_dir=nowhere"], [], "nowhere is no complete data directory"),
        (["flagfile=nowhere"], [], "nowhere"),
    ],
)
def test_what_is_refused_before_anything_starts(grid, groups, message, make, tmp_path):
    with pytest.raises(InputError) as caught:
        make(grid, groups)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("base", ["--epoch=3", "epochs=3", "--flagfile=nowhere", "'"])
def test_a_base_that_is_refused(base, make):
    with pytest.raises(InputError):
        make(["dropout=0"], base=base)


def test_a_run_is_finished_with_these_flags_and_all_epochs(make):
    (run,) = runs = make(["dropout=0.1"])
    assert not sweep.is_finished(run, parse)
    assert sweep.train_runs(runs, command=FAKE) == {}
    assert sweep.is_finished(run, parse)
    (longer,) = make(["dropout=0.1"], base="--epochs=3")
    (other,) = make(["dropout=0.1"], base="--width=0.5")
    (same,) = make(["dropout=0.1"], base="--width=1")
    assert [sweep.is_finished(r, parse) for r in (longer, other)] == [False, False]
    assert same.path == longer.path == other.path and sweep.is_finished(same, parse)
    # Stopped on the way to more epochs: the old result is still there.
    (run.path / "flags.txt").write_text("\n".join(longer.arguments))
    assert not sweep.is_finished(longer, parse)
    (run.path / "flags.txt").write_text("--flag_of_another_version=1")
    assert not sweep.is_finished(run, parse)
    (run.path / "flags.txt").unlink()
    assert not sweep.is_finished(run, parse)


def test_a_failure_does_not_stop_the_others(make):
    runs, calls = make(["dropout=0.1,0.5,0.2"]), []
    failures = sweep.train_runs(runs, 1, lambda *call: calls.append(call), FAKE)
    assert failures == {
        runs[1].path: "exit code 1: error: half of it is too much",
    }
    assert [sweep.is_finished(run, parse) for run in runs] == [True, False, True]
    log = runs[1].path.with_name("dropout=0.5.log").read_text().splitlines()
    assert log[0].startswith("$ ") and log[0].endswith(f"--run_dir={runs[1].path}")
    assert log[1:] == ["training", "error: half of it is too much"]
    assert calls == [(0, 6), (2, 6), (4, 6)] or calls == [(2, 6), (4, 6)]


def test_progress_counts_what_is_left_to_do(make):
    runs, calls = make(["dropout=0.1,0.2"], base="--epochs=5"), []
    runs[0].path.mkdir()
    (runs[0].path / "history.csv").write_text("epoch\n1\n2\n3\n")
    sweep.train_runs(runs, 2, lambda *call: calls.append(call), FAKE)
    assert calls[-1] == (7, 7)


def test_a_run_that_leaves_no_result_has_failed(make):
    runs = make(["dropout=0.1"])
    found = sweep.train_runs(runs, command=[sys.executable, "-c", "print('bye')"])
    assert found == {runs[0].path: "ended without a result.json"}


def test_training_gets_the_flags_as_written(make, tmp_path):
    code = (
        f"import json, sys; json.dump(sys.argv[1:], open({str(tmp_path / 'a')!r}, 'w'))"
    )
    (run,) = runs = make(["learning_rate=1e-3"], base="'--profile_steps=1, 2'")
    sweep.train_runs(runs, command=[sys.executable, "-c", code])
    assert json.loads((tmp_path / "a").read_text()) == run.arguments
