"""The commands, one file a verb: its help, its flags, and calls into the package.

`motionflow.cli` says what a command is. A command imports nothing heavy before its
flags are read: what it calls is imported inside of `main`.
"""

# Verbs in the order of `motionflow --help`, by what they are about.
VERBS = {
    "Films": ("animate", "flow", "restore", "serve"),
    "Data": ("data", "sample-clips", "inspect", "split"),
    "Training": ("train", "sweep", "convert-efficientnet"),
    "Judging": ("evaluate", "report", "compare", "pool"),
    "Serving": ("export", "query"),
}
