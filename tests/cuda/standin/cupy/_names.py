"""What the stand-in takes over from NumPy, name by name: what CuPy 13.4 and later have under the same name.

A function that CuPy lacks is absent here too. Each list is a text of words.
"""

from __future__ import annotations

#: Constants, dtypes and functions of dtypes and shapes: NumPy's own objects.
SAME = """
bool_ byte cdouble complex128 complex64 complexfloating csingle double dtype e euler_gamma finfo float16 float32
float64 floating generic half iinfo inexact inf int16 int32 int64 int8 int_ intc integer intp longlong nan ndindex
newaxis number pi short signedinteger single ubyte uint uint16 uint32 uint64 uint8 uintc uintp ulonglong
unsignedinteger ushort broadcast_shapes isscalar issubdtype promote_types s_ index_exp
"""

#: Functions that run on the memory of device arrays.
FUNCTIONS = """
all allclose amax amin angle any append apply_along_axis arange argmax argmin argpartition argsort argwhere around
array_equal array_split atleast_1d atleast_2d atleast_3d average bincount broadcast_arrays broadcast_to can_cast
choose clip column_stack common_type compress concatenate convolve copy copyto corrcoef correlate count_nonzero cov
cross cumprod cumsum delete diag diag_indices diagflat diagonal diff digitize dot dsplit dstack ediff1d einsum
expand_dims extract eye fill_diagonal fix flatnonzero flip fliplr flipud fromfunction full full_like gradient
histogram histogram2d histogramdd hsplit hstack i0 identity imag indices inner interp isclose iscomplexobj isin
isneginf isposinf isreal isrealobj ix_ kron lexsort linspace logspace max may_share_memory mean median meshgrid min
min_scalar_type moveaxis nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanprod
nanstd nansum nanvar ndim nonzero ones ones_like outer pad partition percentile piecewise place prod ptp put putmask
quantile ravel ravel_multi_index real repeat require reshape resize result_type roll rollaxis rot90 round searchsorted
select setdiff1d shape shares_memory sinc size sort sort_complex split squeeze stack std sum swapaxes take
take_along_axis tensordot tile trace transpose tri tril tril_indices triu triu_indices union1d unique unravel_index
unwrap vander var vdot vsplit vstack where zeros zeros_like
"""

UFUNCS = """
absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_not bitwise_or bitwise_xor cbrt
ceil conj conjugate copysign cos cosh deg2rad degrees divide divmod equal exp exp2 expm1 fabs float_power floor
floor_divide fmax fmin fmod frexp gcd greater greater_equal heaviside hypot invert isfinite isinf isnan lcm ldexp
left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor
matmul maximum minimum mod modf multiply negative nextafter not_equal positive power rad2deg radians reciprocal
remainder right_shift rint sign signbit sin sinh sqrt square subtract tan tanh true_divide trunc
"""

LINALG = """
cholesky det eigh eigvalsh inv lstsq matrix_power matrix_rank norm pinv qr slogdet solve svd tensorinv tensorsolve
"""

FFT = """
fft fft2 fftfreq fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft rfft2 rfftfreq rfftn
"""
