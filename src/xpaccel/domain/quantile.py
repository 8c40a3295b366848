"""The quantile of the normal distribution, of + - * / and sqrt alone, so that its bits are the same on every target.

Wichura's algorithm AS 241 (PPND16; Applied Statistics 37, 1988), with a logarithm that is a series: relative errors are
about 1e-15.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MIDDLE = (
    (
        *(3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4),
        *(4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    ),
    (
        *(1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3),
        *(2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
    ),
)
_NEAR = (
    (
        *(1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0),
        *(1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    ),
    (
        *(1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1),
        *(1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
    ),
)
_FAR = (
    (
        *(6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1),
        *(2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    ),
    (
        *(1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2),
        *(7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
    ),
)
_LN2 = 0.6931471805599453
_ROOT2 = 1.4142135623730951
_SERIES = tuple(2.0 / (2 * k + 1) for k in range(12))  # of log((1 + z) / (1 - z)) / z, in z**2 up to 0.0295


def quantile(q: Any, xp: Any) -> Any:
    """Return where the normal distribution reaches ``0.5 + q``.

    Parameters
    ----------
    q
        Float64, odd multiples of 2**-53 between -0.5 and 0.5, as `xpaccel.domain.philox.normal` makes them.
    xp
        Their namespace.
    """
    middle = 0.180625 - q * q
    tail = 0.5 - xp.abs(q)  # exact
    r = xp.sqrt(_minus_log(tail, xp))
    near, far = _ratio(_NEAR, r - 1.6), _ratio(_FAR, r - 5.0)
    outer = xp.where(r <= 5.0, near, far)
    return xp.where(xp.abs(q) <= 0.425, q * _ratio(_MIDDLE, middle), xp.where(q < 0, -outer, outer))


def _ratio(coefficients: tuple[Sequence[float], Sequence[float]], x: Any) -> Any:
    above, below = (_polynomial(each, x) for each in coefficients)
    return above / below


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Evaluate a polynomial, lowest coefficient first (Horner)."""
    value = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


def _minus_log(x: Any, xp: Any) -> Any:
    """Return -log(x) of float64 between 2**-63 and 1."""
    mantissa, exponent = x * 2.0**63, x * 0.0 - 63.0
    for step in (32, 16, 8, 4, 2, 1):
        large = mantissa >= 2.0**step
        mantissa = xp.where(large, mantissa * 2.0**-step, mantissa)
        exponent = xp.where(large, exponent + step, exponent)
    large = mantissa > _ROOT2
    mantissa = xp.where(large, mantissa * 0.5, mantissa)
    exponent = xp.where(large, exponent + 1, exponent)
    z = (mantissa - 1) / (mantissa + 1)
    return -(exponent * _LN2 + z * _polynomial(_SERIES, z * z))
