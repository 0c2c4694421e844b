"""Displays: training curves, and images with labels, predictions and weights."""

from skmnist.plotting.history import HistoryDisplay
from skmnist.plotting.image_grid import ImageGridDisplay

__all__ = ["HistoryDisplay", "ImageGridDisplay"]
