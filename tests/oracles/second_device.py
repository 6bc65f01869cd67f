"""A second device for machines that have only one: it refuses what CUDA refuses.

Tensors on it say that they are on `meta`, which every build of torch knows, and hold their numbers
on the CPU.  Inside `second_device()` an operation on tensors of both devices, a generator of the
CPU for a tensor of the other, or `numpy()` without a copy is refused as CUDA refuses it.
"""

import contextlib

import torch
from torch.utils import _pytree as tree
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode

NAME = "meta"
META, CPU = torch.device("meta"), torch.device("cpu")
#: An index may stay on the CPU, and copies are what goes from one device to the other.
MIXING = ("aten.index.Tensor", "aten.index_put", "aten._index_put", "aten.copy_", "aten._to_copy")


class WrongDevice(RuntimeError):
    """What CUDA would refuse."""


class Elsewhere(torch.Tensor):
    """A tensor on the second device."""

    @staticmethod
    def __new__(cls, numbers):
        layout = {"strides": numbers.stride(), "storage_offset": numbers.storage_offset()}
        return torch.Tensor._make_wrapper_subclass(
            cls, numbers.shape, dtype=numbers.dtype, device=META, requires_grad=False, **layout
        )

    def __init__(self, numbers):
        self.numbers = numbers

    def __repr__(self):
        return f"Elsewhere({self.numbers!r})"

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """Python methods that look at the memory of a tensor, which there is none of."""
        kwargs = kwargs or {}
        if func is torch.Tensor.tolist:
            return args[0].detach().numbers.tolist()
        if func is torch.Tensor.new_tensor:
            return Elsewhere(args[0].numbers.new_tensor(*args[1:], **kwargs))
        if func is torch.Tensor.numpy:
            if not kwargs.get("force"):
                raise WrongDevice("numpy() of a tensor on the second device: use .cpu() first")
            return args[0].detach().numbers.numpy()
        if func == torch.Tensor.data.__set__:
            args[0].numbers = args[1].detach().numbers
        return torch._C._disabled_torch_function_impl(func, types, args, kwargs)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


@contextlib.contextmanager
def second_device():
    """Where the device `NAME` has numbers."""
    with _Mode():
        yield NAME


def _run(func, args, kwargs):
    name = str(func)
    flat, structure = tree.tree_flatten((args, kwargs))
    there = [x for x in flat if isinstance(x, Elsewhere)]
    result_there = _result_is_there(name, args, kwargs, flat, there)
    numbers = [CPU if isinstance(x, torch.device) and x == META else _numbers(x) for x in flat]
    plain_args, plain_kwargs = tree.tree_unflatten(numbers, structure)
    result = func(*plain_args, **plain_kwargs)
    if torch.Tag.inplace_view in func.tags and isinstance(args[0], Elsewhere):
        # squeeze_ and the like change the shape of the outside, too
        with no_dispatch():
            func(*args, **kwargs)
    same = {id(x.numbers): x for x in there}  # what is written in place stays the same tensor

    def wrapped(x):
        if not isinstance(x, torch.Tensor) or isinstance(x, Elsewhere):
            return x
        return same[id(x)] if id(x) in same else Elsewhere(x) if result_there else x

    # The value of one number comes back as a number.
    return tree.tree_map(wrapped, result)


def _numbers(x):
    if not isinstance(x, Elsewhere):
        return x
    if x.numbers._is_zerotensor():  # a derivative that is zero, without memory
        return torch.zeros(x.numbers.shape, dtype=x.numbers.dtype)
    return x.numbers


def _result_is_there(name, args, kwargs, flat, there):
    """Where the result of an operation lies; an operation that CUDA would refuse is refused."""
    # Tensors without an axis are numbers and go with both.
    here = [
        x for x in flat if isinstance(x, torch.Tensor) and not isinstance(x, Elsewhere) and x.dim()
    ]
    mixing = name.startswith(MIXING)
    if there and here and not mixing:
        shapes = [tuple(x.shape) for x in (*there, *here)]
        raise WrongDevice(f"{name} of tensors on two devices, shapes {shapes}")
    if mixing and args and isinstance(args[0], torch.Tensor) and not name.startswith("aten._to"):
        result = isinstance(args[0], Elsewhere)
        if not result and there and not name.startswith("aten.copy_"):
            raise WrongDevice(f"{name} of a tensor on the CPU with an index elsewhere")
    elif kwargs.get("device") is not None:
        result = torch.device(kwargs["device"]) == META
    else:
        result = bool(there)
    if result and any(isinstance(x, torch.Generator) for x in flat):
        raise WrongDevice(f"{name} of a tensor elsewhere with a generator of the CPU")
    return result
