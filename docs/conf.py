"""How Sphinx builds the site: Markdown by MyST, a reference by AutoAPI, which reads the source and imports nothing."""

import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "_extensions"))

project = "Pinterest Data Pipeline"
extensions = ["myst_parser", "autoapi.extension", "navigation", "reference", "repository", "answers"]
exclude_patterns = ["_extensions"]
master_doc = "index"

myst_heading_anchors = 4  # as GitHub makes them, so that `page.md#heading` works in both places

PACKAGE = DOCS.parent / "plugins" / "pinterest_pipeline"
PUBLIC = re.compile(r"^class \w+(?:Operator|Sensor|Hook|Trigger)\b", re.MULTILINE)
autoapi_dirs = ["../plugins/pinterest_pipeline"]
autoapi_ignore = [
    f"*/{file.relative_to(PACKAGE.parent)}"
    for file in PACKAGE.glob("**/*.py")
    if file.name != "__init__.py" and not PUBLIC.search(file.read_text(encoding="utf-8"))
] + ["*/pinterest_pipeline/__init__.py", "*/pinterest_pipeline/ui/*"]
autoapi_root = "reference"
autoapi_options = ["members", "show-inheritance"]
autoapi_add_toctree_entry = False
autoapi_python_class_content = "class"
autoapi_member_order = "bysource"
autoapi_keep_files = False
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
suppress_warnings = ["autoapi.python_import_resolution"]  # of what the reference does not show

html_theme = "furo"
html_title = project
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
