"""Tables as Markdown."""

from motionflow.drawing.tables import Table, number, percent

TABLE = Table(
    "Title", "How to read.", ["Name", "A", "B"], [["x", "100", "-"], ["yy", "20", "2"]]
)


def test_markdown():
    assert TABLE.markdown().splitlines() == [
        "## Title",
        "",
        "How to read.",
        "",
        "| Name |   A |  B |",
        "| ---- | --: | -: |",
        "| x    | 100 |  - |",
        "| yy   |  20 |  2 |",
    ]


def test_a_table_without_notes_has_no_gap():
    text = Table("Title", "", ["A"], [["1"]]).markdown()
    assert text.splitlines()[:3] == ["## Title", "", "| A  |"]


def test_numbers():
    found = number(1.23456), number(None), number(1234, "{:,}")
    assert found == ("1.235", "-", "1,234")
    found = percent(0.12344), percent(None), percent(0)
    assert found == ("12.34", "-", "0.00")
