"""The settings of Sphinx: `make docs` builds the pages into docs/_build/html."""

import sys
import warnings
from pathlib import Path

import matplotlib
from sphinx_gallery.sorting import ExplicitOrder

import skmnist

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests" / "friends"))
import table

table.write_table(HERE / "generated" / "friends.csv")
sys.path.append(str(HERE))
import draw_model

draw_model.write_model()
matplotlib.use("agg")
# Their pages would show it, and there is nothing that a reader could do.
warnings.filterwarnings("ignore", message=".*FigureCanvasAgg is non-interactive.*")

project = "skmnist"
author = "The skmnist developers"
project_copyright = author
version = release = skmnist.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
    "myst_parser",  # the changelog and the promises are Markdown
]
exclude_patterns = ["_build", "examples"]
suppress_warnings = ["myst.header"]  # the speed table is a part of a page
templates_path = ["_templates"]
default_role = "code"
nitpicky = True

# The few names of others that we link to; nothing is asked from the network.
intersphinx_mapping = {
    "sklearn": ("https://scikit-learn.org/stable/", "inventories/sklearn.txt"),
    "skorch": ("https://skorch.readthedocs.io/en/stable/", "inventories/skorch.txt"),
    "torch": ("https://docs.pytorch.org/docs/stable/", "inventories/torch.txt"),
    "matplotlib": ("https://matplotlib.org/stable/", "inventories/matplotlib.txt"),
    "python": ("https://docs.python.org/3/", "inventories/python.txt"),
}

autodoc_typehints = "none"
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

copybutton_exclude = ".linenos, .gp, .go"

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": ExplicitOrder(
        [
            "plot_lecture.py",
            "plot_mistakes.py",
            "plot_label_errors.py",
            "plot_hidden_units.py",
            "plot_which_pixels.py",
            "plot_accuracy.py",
            "plot_your_own_digits.py",
            "plot_learning_rate.py",
            "plot_early_stopping.py",
            "plot_grid_search.py",
            "plot_learning_curves_of_a_search.py",
            "plot_halving_on_epochs.py",
            "plot_pruning.py",
            "plot_nested_cross_validation.py",
            "plot_cluster_search.py",
            "plot_out_of_core.py",
            "plot_imbalance.py",
            "plot_calibration.py",
            "plot_conformal.py",
            "plot_save_and_load.py",
            "plot_onnx.py",
        ]
    ),
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skmnist",),
    "abort_on_example_error": True,
    # Not those that measure time, start a cluster, or whose workers warn; they say so.
    "parallel": 2,
    "write_computation_times": False,
    "show_signature": False,
    "remove_config_comments": True,
    "download_all_examples": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skmnist"
html_static_path = ["_static", "generated/draw/static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}
# Pages with no page below them need no navigation beside them.
html_sidebars = {
    "install": [],
    "getting_started": [],
    "draw": [],
    "changelog": [],
    "contributing": [],
    "design": [],
    "promises": [],
}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
}


def add_draw_files(app, name, *_):
    """Load the files of the page "Draw a digit" on that page only."""
    if name == "draw":
        app.add_css_file("draw.css")
        app.add_js_file("draw_model.js", loading_method="defer")
        app.add_js_file("draw.js", loading_method="defer")


def setup(app):
    """Connect what Sphinx has no setting for."""
    app.connect("html-page-context", add_draw_files)
