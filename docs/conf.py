"""The site of docs/: `make docs` builds it. No page loads anything from elsewhere."""

import importlib
import os
import re
from typing import Any

from motionflow.terminal import stderr_held_back

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
with stderr_held_back():  # TensorFlow 2.21 writes as it is imported
    importlib.import_module("tensorflow")

project = html_title = "motionflow"
html_theme = "furo"
html_static_path = html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
highlight_language = "text"
# Dashes alone: what a docstring quotes is code.
smartquotes_action = "D"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
myst_heading_anchors = 3

default_role = "code"  # single backticks of docstrings
python_maximum_signature_line_length = 70
autoclass_content = "both"
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "special-members": "__call__, __iter__, __len__",
}
autodoc_preserve_defaults = True
napoleon_attr_annotations = False
napoleon_use_ivar = True
napoleon_use_rtype = False


def hide_functions(*event: Any) -> tuple[str, str] | None:
    """Shows a dataclass's default that is a function as `...`."""
    *_, signature, returns = event
    return signature and (re.sub(r"<function .*?>+", "...", signature), returns)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", hide_functions)
