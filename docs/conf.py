"""How Sphinx builds the site: Markdown by MyST, a reference by AutoAPI, which reads the source and imports nothing."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "_extensions"))

project = "Pinterest Data Pipeline"
extensions = ["myst_parser", "autoapi.extension", "navigation", "reference", "repository"]
exclude_patterns = ["_extensions"]
master_doc = "index"

myst_heading_anchors = 4  # as GitHub makes them, so that `page.md#heading` works in both places

autoapi_dirs = [f"../plugins/pinterest_pipeline/{role}" for role in ("operators", "sensors", "hooks", "triggers")]
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
