"""A smooth function as a table: the same bits on every machine.

`exp` and `pow` differ in their last bit between C libraries and processors. Here values and slopes on a
fine grid come from the standard library's decimals, which are correctly rounded, and between the grid points
a cubic runs through both: additions and multiplications only, which IEEE 754 fixes to the bit.
"""

from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DIGITS = 30  # of the grid values, before they are rounded to a double


class Curve(NamedTuple):
    """A function from [start, stop]; calling it clips its argument to that range.

    Between two grid points it is off by at most per_unit^-4 / 384 times the largest fourth derivative there.
    """

    start: float
    stop: float
    per_unit: int  # grid points to a unit of the argument; a power of two
    cubics: Floats  # [points, 4]: powers 0 to 3 of the way from one point to the next

    def __call__(self, x: npt.ArrayLike) -> Floats:
        """The function's values, one float64 for each `x`."""
        position = (np.clip(np.asarray(x, np.float64), self.start, self.stop) - self.start) * self.per_unit
        point = position.astype(np.int64)
        way = position - point
        c0, c1, c2, c3 = self.cubics[point].T
        return np.asarray(c0 + way * (c1 + way * (c2 + way * c3)), np.float64)


def tabulate(
    function: Callable[[Decimal], tuple[Decimal, Decimal]], start: int, stop: int, per_unit: int
) -> Curve:
    """The curve of `function`, which returns its value and its slope at a decimal argument."""
    points = range((stop - start) * per_unit + 1)
    with localcontext(Context(prec=DIGITS)):
        exact = [function(start + Decimal(point) / per_unit) for point in points]
        grid = np.array([(float(value), float(slope / per_unit)) for value, slope in exact])
    value, slope = grid.T
    step, left, right = value[1:] - value[:-1], slope[:-1], slope[1:]
    cubics = np.zeros((len(points), 4))
    cubics[:, 0] = value
    cubics[:-1, 1] = left
    cubics[:-1, 2] = 3 * step - 2 * left - right
    cubics[:-1, 3] = left + right - 2 * step
    return Curve(float(start), float(stop), per_unit, cubics)
