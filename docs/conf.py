"""Sphinx configuration. The build needs no network access."""

import importlib
import re
import sys

from packagex_async import __version__

project = "packagex-async"
author = "The packagex_async authors"
copyright = "2026, The packagex_async authors"  # the name Sphinx reads
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
# The default dark style underlines imported names like links.
pygments_dark_style = "github-dark"
html_title = "packagex-async"
html_static_path = ["_static"]
html_css_files = ["style.css"]

# Single backticks in docstrings are code, and a link if they name something that is documented.
default_role = "py:obj"

myst_heading_anchors = 3
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
autodoc_member_order = "bysource"
# Signatures show names and defaults; the types are in the list of parameters.
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"

# References to other projects are not resolved: that would need their indexes from the network.
nitpick_ignore_regex = [
    (r"py:obj", r".*"),
    (r"py:.*", r"(aiohttp|asyncio|collections|contextlib|datetime|enum|os|pathlib|ssl|types|typing)\..*"),
    (
        r"py:class",
        r"BaseConnector|Fingerprint|Host|TraceConfig|ssl_module\.SSLContext|packagex_async\.report\.(?:T_co|F_co|D)"
        r"|pa\.(?:RecordBatch|Table)|DltSource|Pipeline",
    ),
]

# The literal types and unions that docs/reference/api.md describes once, under their names.
TYPE_ALIASES = (
    "ArtifactName", "Artifacts", "DirectionName", "OrderByName", "ResourceName", "StatusName", "Statuses",
    "Types",
)  # fmt: skip

TYPE_ONLY_IMPORTS = (
    ("exports", "creation", ["CsvFieldOptions"]),
    ("exports", "report", ["BucketFile", "DownloadReport", "OnProgress"]),
    ("_polling.methods", "creation", ["CsvFieldOptions"]),
    ("_sync.methods", "report", ["BucketFile", "DownloadReport", "OnProgress"]),
    ("_sync.methods", "_sync.pruner", ["OnPrune"]),
    ("_sync.methods", "_watch.poll", ["OnPoll"]),
)


def shorten(app, what, name, obj, options, signature, returns):
    """Leave out the arguments of default values that are records."""
    if not signature:
        return None
    signature = re.sub(r"=(RetryPolicy|Life)\([^)]*\)", r"=\1()", signature)
    return signature.replace("<built-in function time>", "time.time"), returns


def setup(app):
    """Show type aliases by name: autodoc evaluates annotations, and would spell the aliases out."""
    app.connect("autodoc-process-signature", shorten)
    for name in (
        "exports",
        "integrations.dlt",
        "testing",
    ):  # the package imports them only when they are used
        importlib.import_module(f"packagex_async.{name}")
    # These types are imported for type checkers only. autodoc evaluates the annotations that name them.
    for user, module, names in TYPE_ONLY_IMPORTS:
        for name in names:
            value = getattr(importlib.import_module(f"packagex_async.{module}"), name)
            setattr(sys.modules[f"packagex_async.{user}"], name, value)
    modules = [module for name, module in sys.modules.items() if name.startswith("packagex_async")]
    for name in TYPE_ALIASES:
        stand_in = type(name, (), {"__module__": "packagex_async"})
        for module in modules:
            if hasattr(module, name):
                setattr(module, name, stand_in)
