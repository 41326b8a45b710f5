"""numpy, loaded where it is first used, and the types of its arrays.

It takes 17 MB, and a process that only takes events, or only stores them, never uses it. The first one who asks a web
process for numbers waits a tenth of a second longer.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.intp]
    Booleans = npt.NDArray[np.bool_]
else:

    class _Numpy:
        def __getattr__(self, name: str) -> Any:
            import numpy  # noqa: PLC0415, ICN001 - not before

            value = self.__dict__[name] = getattr(numpy, name)
            return value

    np = _Numpy()
    Floats = Integers = Booleans = Any

__all__ = ["Booleans", "Floats", "Integers", "np"]
