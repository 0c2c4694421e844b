"""Files of models that are safe to load from an untrusted source."""

from skmnist.persistence.model_file import load_model, save_model

__all__ = ["load_model", "save_model"]
