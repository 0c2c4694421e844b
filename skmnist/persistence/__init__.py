"""Files of models that are safe to load from an untrusted source.

`TRUSTED_TYPES` are the names of the types that may be in them, for skops and for tools
that use it: `skops.io.load(path, trusted=TRUSTED_TYPES)`. skops then builds these types
from whatever attributes a file has; :func:`load_model` checks the attributes too.
"""

from skmnist.persistence._trusted import TRUSTED_TYPES
from skmnist.persistence.model_file import load_model, save_model

__all__ = ["TRUSTED_TYPES", "load_model", "save_model"]
