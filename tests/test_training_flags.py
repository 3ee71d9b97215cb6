from motionflow import cli
from motionflow.commands import train, training_flags
from motionflow.training.settings import Settings


def parse(*arguments):
    return training_flags.settings_from(cli.parse(train, arguments))


def test_each_field_is_a_flag():
    assert parse() == Settings()
    changed = parse("--width=0.5", "--nomirror", "--class_weights=smoothed")
    assert changed == Settings(width=0.5, mirror=False, class_weights="smoothed")


def test_flags_txt_is_a_flagfile_of_the_same_settings(tmp_path):
    settings = Settings(run_dir="somewhere", min_crop=0.8, mirror=False, width=0.05)
    file = tmp_path / "flags.txt"
    file.write_text(settings.flag_lines())
    assert parse(f"--flagfile={file}") == settings
