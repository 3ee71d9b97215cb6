import pytest

from motionflow.errors import InputError, NotWritten
from motionflow.serving import versions


def write(folder):
    (folder / "saved_model.pb").write_text("new")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_versions_count_up_and_nothing_else_stays_behind(tmp_path):
    (tmp_path / "9").mkdir()
    (tmp_path / "notes").mkdir()
    assert versions.publish(tmp_path, "saved_model", write) == tmp_path / "10"
    assert versions.publish(tmp_path, "saved_model", write) == tmp_path / "11"
    assert names(tmp_path) == ["10", "11", "9", "notes"]
    assert [path.name for path in versions.versions(tmp_path)] == ["9", "10", "11"]


def test_the_server_may_read_what_appears(tmp_path):
    version = versions.publish(tmp_path / "a" / "b", "saved_model", write)
    assert oct(version.stat().st_mode)[-3:] == "755"


def test_a_version_appears_only_when_it_is_complete(tmp_path):
    def look(folder):
        assert folder.parent.parent == tmp_path and folder.parent.name[0] == "."
        write(folder)
        assert not any(name.isdigit() for name in names(tmp_path))

    versions.publish(tmp_path, "saved_model", look)
    assert names(tmp_path) == ["1"]


def test_a_failure_leaves_nothing(tmp_path):
    def fail(folder):
        write(folder)
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        versions.publish(tmp_path, "saved_model", fail)
    assert names(tmp_path) == []


def test_nothing_is_written_over(tmp_path, monkeypatch):
    """Another export took the number between the look and the rename."""
    monkeypatch.setattr(versions, "versions", lambda folder: [])
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("theirs")
    with pytest.raises(NotWritten, match="1 could not be written: Directory not empty"):
        versions.publish(tmp_path, "saved_model", write)
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "theirs"
    assert names(tmp_path) == ["1"]


def test_the_newest_are_kept(tmp_path):
    for number in (1, 3, 10, 20):
        (tmp_path / str(number)).mkdir()
    versions.publish(tmp_path, "saved_model", write, keep_versions=3)
    assert names(tmp_path) == ["10", "20", "21"]
    versions.publish(tmp_path, "saved_model", write, keep_versions=1)
    assert names(tmp_path) == ["22"]
    versions.publish(tmp_path, "saved_model", write, keep_versions=5)
    assert names(tmp_path) == ["22", "23"]


def test_a_failed_export_deletes_no_older_version(tmp_path):
    versions.publish(tmp_path, "saved_model", write)
    with pytest.raises(ZeroDivisionError):
        versions.publish(tmp_path, "saved_model", lambda f: 1 / 0, keep_versions=1)
    assert names(tmp_path) == ["1"]


def test_a_format_has_a_folder_of_its_own(tmp_path):
    versions.publish(tmp_path, "saved_model", write)
    with pytest.raises(InputError, match="1 has the format saved_model; give tflite a"):
        versions.publish(tmp_path, "tflite", write)


def test_a_version_is_no_folder_of_versions(tmp_path):
    version = versions.publish(tmp_path, "saved_model", write)
    with pytest.raises(InputError, match="it is a version itself"):
        versions.publish(version, "saved_model", write)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: Not a directory"):
        versions.publish(tmp_path / "file", "saved_model", write)
