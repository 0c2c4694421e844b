"""Matrix products: the same bits on any number of threads, in the type asked for."""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path

import torch
from torch.nn import functional as F

from skmnist._engine.internals import has_amx, has_bfloat16

# The rows and columns of a product are padded to a multiple of this. At other sizes, on
# processors of AMD, MKL uses other kernels for the remainder. Which rows these are, and
# so the last bits of a result, depends on the number of threads.
TILE = 16


def ask_for_same_bits() -> None:
    """Ask MKL for products that do not depend on the number of threads, on Intel's.

    There it shares out long sums among the threads, unless it is in the strict mode of
    its conditional numerical reproducibility. It looks at this variable when it is
    first used, and never again. A value that the user has set is kept.
    """
    if is_intel():
        os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")


@functools.cache
def is_intel() -> bool:
    """Tell whether the processor is of Intel's make."""
    try:
        with Path("/proc/cpuinfo").open() as file:
            processor = file.read(1000)
    except OSError:  # not Linux
        processor = platform.processor()
    return "GenuineIntel" in processor


ask_for_same_bits()


def pad_to_tiles(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor with zeros after its end, up to whole tiles each way."""
    missing = [-size % TILE for size in tensor.shape]
    if not any(missing):
        return tensor
    return F.pad(tensor, [n for end in reversed(missing) for n in (0, end)])


def row_major(factor: torch.Tensor) -> torch.Tensor:
    """Return the second factor of a product in a layout with the same bits always.

    In float64, where both factors lie in memory along the axis that is summed over, MKL
    shares out that axis too, and the sums depend on the number of threads.
    """
    is_in_mkl = factor.dtype == torch.float64 and factor.is_cpu
    return factor.contiguous() if is_in_mkl else factor


def multiply(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> None:
    """Write `a @ b` into `out`, with factors of the type of `b`.

    On the CPU it is one product for each thread: MKL shares out a single one worse, and
    takes up to a half longer on two cores.
    """
    n_rows, n_columns = out.shape
    n_parts = torch.get_num_threads()
    if b.dtype != out.dtype or b.shape[1] != n_columns:
        out.copy_((a.to(b.dtype) @ b)[:, :n_columns])
    elif n_parts == 1 or n_rows % (TILE * n_parts) or not out.is_cpu:
        torch.mm(a, b, out=out)
    else:
        shape = (n_parts, n_rows // n_parts, -1)
        torch.bmm(a.view(shape), b.expand(n_parts, *b.shape), out=out.view(shape))


def multiply_forward(
    weight: torch.Tensor, inputs: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Return `weight @ inputs + bias`, where units are rows and images are columns.

    `bias` is a column.

    On a GPU an image is a row in memory all the same: for the other way round cuBLAS
    has no quick product if there are few units, and takes 55 us instead of 7.
    """
    if inputs.is_cuda:
        return torch.mm(inputs.T, weight.T).T.add_(bias)
    return torch.addmm(bias, weight, inputs)


def multiply_back(weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Return `weight.T @ gradient`, in memory as `multiply_forward` has it."""
    if gradient.is_cuda:
        return torch.mm(gradient.T, weight).T
    return weight.T @ gradient


def sum_rows(gradient: torch.Tensor, out: torch.Tensor) -> None:
    """Write the sum of each row of `gradient` into `out`."""
    if gradient.is_cuda:  # as a product, in half the time
        torch.mv(gradient, gradient.new_ones(gradient.shape[1]), out=out)
    else:
        torch.sum(gradient, 1, out=out)


def have_same_bits() -> bool:
    """Tell whether products have the same bits on any number of threads.

    Those of bfloat16 do not on Intel's processors with AMX: there oneDNN shares out
    long sums among the threads.
    """
    return not (is_intel() and has_amx() and _is_bfloat16_wanted())


def find_factor_dtype(X: torch.Tensor) -> torch.dtype:
    """Return the float type in which hidden layers multiply.

    That is bfloat16 where torch is asked for it, by its own settings such as
    `set_float32_matmul_precision("medium")`, and the processor gains by it: one of AMD
    with AVX-512, one of Intel with AMX (with AVX-512 alone it takes 1.4 times as long).
    For float32 torch itself then does so on processors with AMX only.
    """
    if X.dtype != torch.float32 or not X.is_cpu or not _is_bfloat16_wanted():
        return X.dtype
    gains = has_amx() if is_intel() else has_bfloat16()
    return torch.bfloat16 if gains else X.dtype


def _is_bfloat16_wanted():
    matmul = getattr(torch.backends.mkldnn, "matmul", None)  # new in torch 2.9
    if matmul is None:
        return torch.get_float32_matmul_precision() == "medium"
    return matmul.fp32_precision == "bf16"
