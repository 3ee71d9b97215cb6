import dataclasses

from motionflow.training.settings import Settings


def test_sections_are_disjoint_and_leave_out_what_a_resumed_run_may_change():
    settings = Settings()
    model, training = settings.section("model"), settings.section("training")
    assert not model.keys() & training.keys()
    others = {field.name for field in dataclasses.fields(settings)}
    others -= model.keys() | training.keys()
    assert others == {
        "data_dir",
        "run_dir",
        "model",  # its name has its own place in config.json
        "pretrained",  # that it was has its own place too
        "keep_trunk_maps",  # where they lie
        "strategy",
        "checkpoint_steps",
        "num_checkpoints",
        "num_best_checkpoints",
        "profile_steps",
    }
    assert training["batch_size"] == 125 and model["width"] == 1.0


def test_flag_lines_leave_out_what_is_not_given():
    lines = Settings(run_dir=None, width=0.25).flag_lines().splitlines()
    assert "--width=0.25" in lines and "--mirror=True" in lines
    assert not [line for line in lines if line.startswith("--run_dir")]
