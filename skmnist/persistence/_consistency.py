"""Attributes that must fit together, and how long an estimator works with them.

A check is called with the attributes of an estimator, and with the sizes of their axes,
to which it may add `work`, in the unit of `_audit.MAX_WORK`.
"""

from __future__ import annotations

from typing import Any

from sklearn import decomposition
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.impute import KNNImputer
from sklearn.preprocessing import (
    MultiLabelBinarizer,
    OneHotEncoder,
    PolynomialFeatures,
    TargetEncoder,
)

from skmnist.persistence._rules import MAX_ITEMS, Sizes

# Of a dictionary: their products with each other are a matrix.
MAX_ATOMS = 1_000
# Rows to impute from, where images have few pixels: distances are kept for each.
MAX_DONORS_OF_A_PIXEL = 100
# What a step of Python's, its atoms, and a column to impute take for 50 images.
WORK_OF_A_STEP = 15_000
WORK_OF_AN_ATOM = {"omp": 65, "lars": 350, "lasso_lars": 350}
WORK_OF_A_COLUMN = 5_000


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


def has_codes_in_time(attributes: dict[str, Any], sizes: Sizes) -> bool:
    """Tell whether a dictionary has few atoms, and count how long it looks for some."""
    n_atoms = sizes.get("outputs", 0)
    if attributes.get("split_sign"):
        sizes["outputs"] = 2 * n_atoms
    algorithm = attributes.get("transform_algorithm", "threshold")
    if n_atoms == 0 or algorithm == "threshold":
        return True
    n_steps = attributes.get("transform_max_iter", 0)
    if algorithm in ("omp", "lars"):
        default = min(max(sizes["features"] // 10, 1), n_atoms)
        n_steps = attributes.get("transform_n_nonzero_coefs") or default
    if algorithm == "lasso_cd":
        work_of_a_step = n_atoms**2
    else:
        work_of_a_step = WORK_OF_A_STEP + n_atoms * WORK_OF_AN_ATOM.get(algorithm, 0)
    sizes["work"] = n_steps * work_of_a_step
    return n_atoms <= MAX_ATOMS


def has_donors_in_time(attributes: dict[str, Any], sizes: Sizes) -> bool:
    """Tell whether rows to impute from are no more than their pixels pay for."""
    n_features = sizes.get("features", 0)
    sizes["work"] = n_features * WORK_OF_A_COLUMN
    return sizes.get("samples", 0) <= max(MAX_ITEMS, n_features * MAX_DONORS_OF_A_PIXEL)


def has_a_column_for_each_class(attributes: dict[str, Any], sizes: Sizes) -> bool:
    """Tell whether a MultiLabelBinarizer writes into no columns but those it has."""
    cached = attributes.get("_cached_dict")
    if cached is None:
        return True
    names = attributes["classes_"].tolist()
    return dict(cached) == {name: column for column, name in enumerate(names)}


WHOLE = {
    decomposition.DictionaryLearning: has_codes_in_time,
    decomposition.MiniBatchDictionaryLearning: has_codes_in_time,
    decomposition.SparseCoder: has_codes_in_time,
    KMeans: has_clusters_of_images,
    KNNImputer: has_donors_in_time,
    MiniBatchKMeans: has_clusters_of_images,
    MultiLabelBinarizer: has_a_column_for_each_class,
    OneHotEncoder: has_outputs_of_categories,
    PolynomialFeatures: has_outputs_of_degrees,
    TargetEncoder: has_encodings_of_classes,
}
