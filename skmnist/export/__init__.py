"""Fitted models for programs without Python."""

from skmnist.export.onnx_model import to_onnx

__all__ = ["to_onnx"]
