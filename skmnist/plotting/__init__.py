"""Pictures: how training went, and images with what a classifier makes of them."""

from skmnist.plotting.history import HistoryDisplay
from skmnist.plotting.image_grid import ImageGridDisplay

__all__ = ["HistoryDisplay", "ImageGridDisplay"]
