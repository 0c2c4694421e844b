"""Files of models that are safe to load from an untrusted source.

`TRUSTED_TYPES` are the names of the types that a file may contain, for skops and for
tools that use it: `skops.io.load(path, trusted=TRUSTED_TYPES)`. skops does not check
the attributes of these types; :func:`load_model` does.
"""

from skmnist.persistence._trusted import TRUSTED_TYPES
from skmnist.persistence.model_file import load_model, save_model

__all__ = ["TRUSTED_TYPES", "load_model", "save_model"]
