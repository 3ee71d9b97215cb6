"""The notebook: it runs as it stands, and what it shows shows itself."""

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).parent.parent / "docs/first_steps.ipynb"


def test_no_output_is_stored():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.slow
def test_it_runs(tmp_path):
    text = NOTEBOOK.read_text(encoding="utf-8")
    for number, less in (("num_clips=30", "num_clips=9"), ("epochs=6", "epochs=1")):
        assert number in text
        text = text.replace(number, less)
    notebook = nbformat.reads(text, as_version=4)
    place = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(notebook, timeout=300, resources=place).execute()
    shown = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert output.output_type != "error"
            shown[cell.source.splitlines()[-1]] = output.get("data", {})
    assert shown["motion"]["image/png"]
    assert "<video" in shown["film"]["text/html"]
    assert shown["len(film), film.remarks()"]["text/plain"].startswith("(26, ")
    assert (tmp_path / "first_steps/film.mp4").stat().st_size > 1000
    assert (tmp_path / "first_steps/run/result.json").is_file()
