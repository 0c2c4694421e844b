"""Attributes that must fit together, and how long an estimator works with them.

The functions are called with an estimator's attributes and the sizes of their axes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn import decomposition
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.impute import KNNImputer
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.preprocessing import (
    MultiLabelBinarizer,
    OneHotEncoder,
    PolynomialFeatures,
    TargetEncoder,
)

from skmnist.persistence._rules import MAX_ITEMS, Sizes
from skmnist.preprocessing import ImageCenterer

# In units of `_audit.MAX_WORK`, what 50 images take:
# what is done once for a dictionary, and for each product of two of its atoms,
WORK_OF_A_DICTIONARY = 45_000
WORK_OF_A_PAIR = 4
# a step of orthogonal matching pursuit, which is Python's, and each atom in it,
WORK_OF_A_STEP = 15_000
WORK_OF_AN_ATOM = 65
# an atom in an iteration of coordinate descent, which is compiled,
WORK_OF_A_COORDINATE = 30
# a pass over components, beside their pixels: over factors, and over topics in Python,
WORK_OF_FACTORS = 400
WORK_OF_TOPICS = 3_000
# a frame, and a pixel of it,
WORK_OF_A_FRAME = 1_000_000
WORK_OF_A_PIXEL = 100
# a column of a sparse sketch,
WORK_OF_A_HASH = 1_650
# a column to impute, and a row to impute from beyond those that its columns allow.
WORK_OF_A_COLUMN = 5_000
WORK_OF_A_ROW = 1_500
ROWS_OF_A_COLUMN = 100


def has_outputs_of_categories(attributes: dict[str, Any], sizes: Sizes) -> bool:
    """Tell whether a OneHotEncoder writes into no more columns than it allocates.

    The matrix that it builds believes it without a look.
    """
    categories = attributes.get("categories_", [])
    missing = [None] * len(categories)
    dropped = attributes.get("_drop_idx_after_grouping")
    columns = (
        attributes.get("_default_to_infrequent_mappings", missing),
        attributes.get("_infrequent_indices", missing),
        missing if dropped is None else list(dropped),
    )
    if any(len(column) != len(categories) for column in columns):
        return False
    n_outputs = []
    for names, mapping, infrequent, index in zip(categories, *columns, strict=True):
        n = len(names)
        if (mapping is None) != (infrequent is None):
            return False
        if mapping is not None:
            if len(mapping) != n or not _are_within(n, mapping, infrequent):
                return False
            n = int(mapping.max()) + 1
        if index is not None and index not in range(n):
            return False
        n_outputs.append(n - (index is not None))
    sizes["outputs"] = sum(n_outputs)
    return (
        list(attributes.get("_n_features_outs", n_outputs)) == n_outputs
        and sum(n_outputs) <= MAX_ITEMS
    )


def _are_within(n, *arrays):
    return all(array.size and array.min() >= 0 and array.max() < n for array in arrays)


def has_encodings_of_classes(attributes: dict[str, Any], sizes: Sizes) -> bool:
    """Tell whether a TargetEncoder has an encoding for each column that it makes."""
    n_columns = len(attributes.get("categories_", []))
    if attributes.get("target_type_") == "multiclass":
        n_columns *= len(attributes.get("classes_", []))
    return len(attributes.get("encodings_", [])) == n_columns


def has_outputs_of_degrees(attributes: dict[str, Any], sizes: Sizes) -> bool:
    """Tell whether PolynomialFeatures fills all columns that it allocates."""
    names = {"_min_degree", "_max_degree", "_n_out_full", "n_output_features_"}
    if not names & attributes.keys():
        return True
    if not names <= attributes.keys():
        return False
    lowest, highest = attributes["_min_degree"], attributes["_max_degree"]
    options = attributes["interaction_only"], attributes["include_bias"]
    count = PolynomialFeatures._num_combinations
    return attributes["_n_out_full"] == count(
        sizes["features"], 0, highest, *options
    ) and attributes["n_output_features_"] == count(
        sizes["features"], lowest, highest, *options
    )


def has_clusters_of_images(attributes: dict[str, Any], sizes: Sizes) -> bool:
    """Tell whether clusters have a size that `predict` compares with the images'.

    Compiled code then reads as many numbers of each cluster, and at least one cluster.
    """
    return "cluster_centers_" not in attributes or (
        "n_features_in_" in attributes and sizes["outputs"] > 0
    )


def has_a_column_for_each_class(attributes: dict[str, Any], sizes: Sizes) -> bool:
    """Tell whether a MultiLabelBinarizer writes into no columns but those it has."""
    cached = attributes.get("_cached_dict")
    if cached is None:
        return True
    names = attributes["classes_"].tolist()
    return dict(cached) == {name: column for column, name in enumerate(names)}


def count_work_of_dictionary(attributes: dict[str, Any], sizes: Sizes) -> int:
    """Count what it takes to find the atoms of 50 images."""
    n_atoms, n_features = sizes.get("outputs", 0), sizes.get("features", 0)
    algorithm = attributes.get("transform_algorithm")
    if algorithm == "omp":
        default = min(max(n_features // 10, 1), n_atoms)
        n_steps = attributes.get("transform_n_nonzero_coefs") or default
        # The atoms that have been found are solved for at each step.
        work_of_an_atom = WORK_OF_AN_ATOM + int(n_steps) // 2
        work_of_a_step = WORK_OF_A_STEP + n_atoms * work_of_an_atom
    elif algorithm == "lasso_cd":
        n_steps = attributes.get("transform_max_iter", 0)
        work_of_a_step = n_atoms * (n_atoms + WORK_OF_A_COORDINATE)
    else:
        return 0
    # Not with NumPy's ints, which overflow.
    work = max(int(n_steps), 0) * work_of_a_step
    return WORK_OF_A_DICTIONARY + n_atoms**2 * WORK_OF_A_PAIR + work


def count_work_of_passes(work_beside: int) -> Callable[[dict[str, Any], Sizes], int]:
    """Return a function that counts what passes over components take for 50 images."""

    def count(attributes, sizes):
        if "components" not in sizes:
            return 0
        size = sizes["components"] * sizes.get("features", 0)
        return sizes.get("passes", 0) * (size + work_beside)

    return count


def count_work_of_frames(attributes: dict[str, Any], sizes: Sizes) -> int:
    """Count what it takes to frame 50 images that were framed before."""
    return WORK_OF_A_FRAME + sizes.get("outputs", 0) * WORK_OF_A_PIXEL


def count_work_of_sketch(attributes: dict[str, Any], sizes: Sizes) -> int:
    """Count what it takes to hash 50 images, of which each may be sparse."""
    return attributes.get("degree", 0) * sizes.get("hashed", 0) * WORK_OF_A_HASH


def count_work_of_imputer(attributes: dict[str, Any], sizes: Sizes) -> int:
    """Count what it takes to impute all columns of 50 images from the nearest rows."""
    n_rows, n_columns = sizes.get("samples", 0), sizes.get("features", 0)
    n_more_rows = max(n_rows - n_columns * ROWS_OF_A_COLUMN, 0)
    return n_columns * WORK_OF_A_COLUMN + n_more_rows * WORK_OF_A_ROW


WHOLE = {
    KMeans: has_clusters_of_images,
    MiniBatchKMeans: has_clusters_of_images,
    MultiLabelBinarizer: has_a_column_for_each_class,
    OneHotEncoder: has_outputs_of_categories,
    PolynomialFeatures: has_outputs_of_degrees,
    TargetEncoder: has_encodings_of_classes,
}
WORK = {
    ImageCenterer: count_work_of_frames,
    decomposition.DictionaryLearning: count_work_of_dictionary,
    decomposition.MiniBatchDictionaryLearning: count_work_of_dictionary,
    decomposition.SparseCoder: count_work_of_dictionary,
    decomposition.NMF: count_work_of_passes(WORK_OF_FACTORS),
    decomposition.MiniBatchNMF: count_work_of_passes(WORK_OF_FACTORS),
    decomposition.LatentDirichletAllocation: count_work_of_passes(WORK_OF_TOPICS),
    PolynomialCountSketch: count_work_of_sketch,
    KNNImputer: count_work_of_imputer,
}
