"""The numbers of the papers, typed from their tables a second time."""

from motionflow.report import published

# System, data, paper: EPE, Dir, Ori over all cells / near edges / moving ones.
WALKERS = {
    ("Pintea 2014, random forest", "HMDB-51"): (
        (1.23, 1.20, 3.46, 0.000, 0.000, -0.010, 0.461, 0.557, 0.495),
        (81.9, 13.5, 84.4, 22.1),
    ),
    ("Walker 2015", "HMDB-51"): (
        (1.21, 1.17, 3.45, 0.016, 0.012, 0.030, 0.636, 0.636, 0.667),
        (90.2, 61.0, 95.9, 87.5),
    ),
    ("nearest neighbour, pool5", "HMDB-51"): (
        (2.51, 2.49, 4.89, -0.008, -0.007, -0.061, 0.631, 0.631, 0.644),
        (76.3, 14.0, 82.9, 23.9),
    ),
    ("nearest neighbour, fc7", "HMDB-51"): (
        (2.43, 2.43, 4.69, -0.007, -0.005, -0.061, 0.630, 0.631, 0.655),
        (77.3, 13.5, 83.6, 23.2),
    ),
    ("Pintea 2014, random forest", "UCF-101"): (
        (1.30, 1.23, 3.24, 0.004, 0.000, -0.013, 0.492, 0.600, 0.515),
        (79.4, 10.0, 82.2, 17.2),
    ),
    ("nearest neighbour, fc7", "UCF-101"): (
        (2.24, 2.16, 4.27, -0.005, -0.006, -0.060, 0.649, 0.649, 0.672),
        (78.3, 18.8, 84.0, 32.3),
    ),
    ("Walker 2015", "UCF-101"): (
        (1.27, 1.17, 3.19, 0.045, 0.025, 0.092, 0.659, 0.657, 0.688),
        (89.7, 65.0, 96.5, 90.9),
    ),
}
IM2FLOW = {
    "Pintea 2014, random forest": (2.401, 2.699, 3.233),
    "Walker 2015": (2.391, 2.696, 3.139, 0.003, 0.001, 0.014, 0.661, 0.673, 0.662),
    "Im2Flow 2018": (2.210, 2.533, 2.936, 0.143, 0.135, 0.137, 0.699, 0.692, 0.696),
}


def numbers(cells):
    return tuple(float(n) for cell in cells if cell != "-" for n in cell.split(" / "))


def rows(table, source):
    return [row for row in table.rows if row[-1] == source]


def test_the_reports_tables_3_and_4():
    classification, flow = published.published_tables()
    found = {row[0]: numbers(row[2:-1]) for row in rows(classification, "report")}
    assert found == {
        "AlexNet": (11.12, 15.88, 76.67, 91.9, 96.5),
        "All-Conv Net": (9.44, 12.73, 75.89, 90.7, 96.3),
    }
    found = {row[0]: row[2:-1] for row in rows(flow, "report")}
    assert found == {
        "All-Conv Net": ("1.12", "0.036", "0.664", "90.7", "96.3", "7.16M"),
        "AlexNet": ("1.10", "0.096", "0.676", "91.9", "96.5", "112M"),
    }


def test_walkers_tables():
    flow = rows(published.published_tables()[1], "Walker 2015")
    found = {(r[0], r[1]): (numbers(r[2:5]), numbers(r[5:7])) for r in flow}
    assert found == WALKERS and len(flow) == len(WALKERS)


def test_im2flows_table():
    flow = rows(published.published_tables()[1], "Im2Flow 2018")
    assert {row[0]: numbers(row[2:-1]) for row in flow} == IM2FLOW
    assert {row[1] for row in flow} == {"UCF-101"}


def test_each_row_has_a_source_and_the_tables_a_warning():
    for table in published.published_tables():
        assert all(len(row) == len(table.head) for row in table.rows)
        assert {row[-1] for row in table.rows} <= set(published.SOURCES)
    assert "not comparable line by line" in published.WARNING


def test_the_report_has_an_author_and_a_title():
    for word in ("Rosello", "Predicting Future Optical Flow from Static Video Frames"):
        assert word in published.REPORT and word in published.__doc__.replace("\n", " ")
    assert published.SOURCES["report"].startswith(published.REPORT)
