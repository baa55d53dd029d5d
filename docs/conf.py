"""How Sphinx builds these pages: Markdown by MyST, the furo theme. `make docs` runs it with warnings as errors."""

from importlib.metadata import version as version_of

project = "partisan_actors"
author = "The partisan_actors authors"
copyright = author
release = version = version_of("partisan-actors")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
# Headings can be linked to as on GitHub, so that one link works in both places.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"partisan_actors {release}"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
