from motionflow.commands import train
from motionflow.training import trainer
from motionflow.training.settings import Settings

METRICS = {"loss": 9.1234567, "top1": 0.5, "epe_nz": 2.0}


def test_the_command_trains_what_the_flags_say_and_tells_the_result(call, monkeypatch):
    trained = []

    def stand_in(settings, watch, bar):
        trained.append(settings)
        return {"training": METRICS, "validation": METRICS | {"top1": 0.25}}

    monkeypatch.setattr(trainer, "train", stand_in)
    asked = Settings(data_dir="d", run_dir="r/a", width=0.05, epochs=3, mirror=False)
    done = call(train, *asked.flag_lines().split())
    assert trained == [asked]
    assert done.out.splitlines() == [
        "results     r/a/result.json",
        "training    loss 9.123, top1 0.5, epe_nz 2",
        "validation  loss 9.123, top1 0.25, epe_nz 2",
    ]


def test_without_validation_nothing_is_told_of_it(call, monkeypatch):
    result = {"training": METRICS, "validation": None}
    monkeypatch.setattr(trainer, "train", lambda settings, watch, bar: result)
    done = call(train, "--model=dense")
    first, training = done.out.splitlines()
    assert first == "results     runs/dense/result.json"
    assert training.startswith("training    loss ")
