"""Numbers that papers print for this task, as they print them, each with its source.

To be read beside a model's own tables, not line by line: another data set, another
split or another way to make the true flow moves an EPE more than a better network does.
On UCF-101, Walker's model has an EPE of 1.27 in its own paper and 2.391 in Im2Flow's.

"The report", here and everywhere in this package: Pol Rosello, "Predicting Future
Optical Flow from Static Video Frames", project report, Stanford University, undated; it
calls Walker 2015 very recent.
"""

from motionflow.drawing.tables import Table

REPORT = (
    "Pol Rosello: Predicting Future Optical Flow from Static Video Frames (project "
    "report, Stanford University; undated, soon after Walker 2015)"
)
WARNING = "Published, other data and protocol: not comparable line by line."
SOURCES = {
    "report": (
        f"{REPORT}: the report that this package follows. Shuffled frames, so that "
        "test frames have neighbours in training."
    ),
    "Walker 2015": (
        "Walker, Gupta, Hebert: Dense Optical Flow Prediction from a Static Image "
        "(ICCV 2015, arXiv 1505.00295). Mean of three official splits."
    ),
    "Pintea 2014": (
        "Pintea, van Gemert, Smeulders: Déjà Vu, Motion Prediction in Static Images "
        "(ECCV 2014); these numbers of its forest are printed in the two papers that "
        "compare with it."
    ),
    "Im2Flow 2018": (
        "Gao, Xiong, Grauman: Im2Flow, Motion Hallucination from Static Images for "
        "Action Recognition (CVPR 2018, arXiv 1712.04109)."
    ),
}
_FOREST = "Pintea 2014, random forest"

_CLASSIFICATION_HEAD = ("Model", "Data", "Recall", "Precision", "Top-1", "Top-5")
_CLASSIFICATION_HEAD += ("Top-10", "Printed in")
CLASSIFICATION = (
    ("AlexNet", "HMDB-51", "11.12", "15.88", "76.67", "91.9", "96.5", "report"),
    ("All-Conv Net", "HMDB-51", "9.44", "12.73", "75.89", "90.7", "96.3", "report"),
)

# EPE, Dir and Ori: over all cells / near Canny edges / where something moves; Top-5 and
# Top-10: all / moving. Where a paper prints one number, it is of all cells.
_FLOW_HEAD = ("Model", "Data", "EPE", "Dir", "Ori", "Top-5", "Top-10", "#params")
_FLOW_HEAD += ("Printed in",)
FLOW = (
    *(
        (name, "HMDB-51", *row, "report")
        for name, *row in (
            ("All-Conv Net", "1.12", "0.036", "0.664", "90.7", "96.3", "7.16M"),
            ("AlexNet", "1.10", "0.096", "0.676", "91.9", "96.5", "112M"),
        )
    ),
    *(
        (name, "HMDB-51", *row, "-", "Walker 2015")
        for name, *row in (
            (
                _FOREST,
                *("1.23 / 1.20 / 3.46", ".000 / .000 / -.010", ".461 / .557 / .495"),
                *("81.9 / 13.5", "84.4 / 22.1"),
            ),
            (
                "nearest neighbour, pool5",
                *("2.51 / 2.49 / 4.89", "-.008 / -.007 / -.061", ".631 / .631 / .644"),
                *("76.3 / 14.0", "82.9 / 23.9"),
            ),
            (
                "nearest neighbour, fc7",
                *("2.43 / 2.43 / 4.69", "-.007 / -.005 / -.061", ".630 / .631 / .655"),
                *("77.3 / 13.5", "83.6 / 23.2"),
            ),
            (
                "Walker 2015",
                *("1.21 / 1.17 / 3.45", ".016 / .012 / .030", ".636 / .636 / .667"),
                *("90.2 / 61.0", "95.9 / 87.5"),
            ),
        )
    ),
    *(
        (name, "UCF-101", *row, "-", "Walker 2015")
        for name, *row in (
            (
                _FOREST,
                *("1.30 / 1.23 / 3.24", ".004 / .000 / -.013", ".492 / .600 / .515"),
                *("79.4 / 10.0", "82.2 / 17.2"),
            ),
            (
                "nearest neighbour, fc7",
                *("2.24 / 2.16 / 4.27", "-.005 / -.006 / -.060", ".649 / .649 / .672"),
                *("78.3 / 18.8", "84.0 / 32.3"),
            ),
            (
                "Walker 2015",
                *("1.27 / 1.17 / 3.19", ".045 / .025 / .092", ".659 / .657 / .688"),
                *("89.7 / 65.0", "96.5 / 90.9"),
            ),
        )
    ),
    *(
        (name, "UCF-101", *row, "-", "-", "-", "Im2Flow 2018")
        for name, *row in (
            (_FOREST, "2.401 / 2.699 / 3.233", "-", "-"),
            (
                "Walker 2015",
                *("2.391 / 2.696 / 3.139", ".003 / .001 / .014", ".661 / .673 / .662"),
            ),
            (
                "Im2Flow 2018",
                *("2.210 / 2.533 / 2.936", ".143 / .135 / .137", ".699 / .692 / .696"),
            ),
        )
    ),
)


def published_tables() -> list[Table]:
    """The two tables of other people's numbers, under the report's headings."""
    return [
        Table("Published: classification", "", _CLASSIFICATION_HEAD, CLASSIFICATION, 2),
        Table(
            "Published: flow",
            "Over all cells / near Canny edges / where something moves; two numbers: "
            "all / moving; one: all. The zero flow has an EPE of about 1.23 px on "
            "HMDB-51, and random directions an Ori of 0.637.",
            _FLOW_HEAD,
            FLOW,
            2,
        ),
    ]
