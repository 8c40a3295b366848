// Complex numbers, with NumPy's formulas, so that special values come out as its.

XP_FUNCTION complex64 join(float32 re, float32 im) { return {re, im}; }
XP_FUNCTION complex128 join(float64 re, float64 im) { return {re, im}; }

#define XP_COMPLEX(C, T) \
    XP_FUNCTION C operator+(C x, C y) { return {x.re + y.re, x.im + y.im}; } \
    XP_FUNCTION C operator-(C x, C y) { return {x.re - y.re, x.im - y.im}; } \
    XP_FUNCTION C operator-(C x) { return {-x.re, -x.im}; } \
    XP_FUNCTION C operator*(C x, C y) { return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re}; } \
    XP_FUNCTION bool operator==(C x, C y) { return x.re == y.re && x.im == y.im; } \
    XP_FUNCTION bool operator!=(C x, C y) { return !(x == y); } \
    /* scaled by the larger part of the divisor (Smith 1962) */ \
    XP_FUNCTION C operator/(C x, C y) { \
        if (fabs(y.re) >= fabs(y.im)) { \
            if (y.re == T(0) && y.im == T(0)) return {x.re / fabs(y.re), x.im / fabs(y.re)}; \
            const T ratio = y.im / y.re, scale = T(1) / (y.re + y.im * ratio); \
            return {(x.re + x.im * ratio) * scale, (x.im - x.re * ratio) * scale}; \
        } \
        const T ratio = y.re / y.im, scale = T(1) / (y.im + y.re * ratio); \
        return {(x.re * ratio + x.im) * scale, (x.im * ratio - x.re) * scale}; \
    } \
    XP_FUNCTION C reciprocal(C x) { \
        if (fabs(x.im) <= fabs(x.re)) { \
            const T ratio = x.im / x.re, scale = x.re + x.im * ratio; \
            return {T(1) / scale, -ratio / scale}; \
        } \
        const T ratio = x.re / x.im, scale = x.re * ratio + x.im; \
        return {ratio / scale, T(-1) / scale}; \
    } \
    XP_FUNCTION T absolute(C x) { return hypot(x.re, x.im); } \
    XP_FUNCTION T real(C x) { return x.re; } \
    XP_FUNCTION T imag(C x) { return x.im; } \
    XP_FUNCTION C conjugate(C x) { return {x.re, -x.im}; } \
    XP_FUNCTION bool isnan(C x) { return isnan(x.re) || isnan(x.im); } \
    XP_FUNCTION bool isinf(C x) { return isinf(x.re) || isinf(x.im); } \
    XP_FUNCTION bool isfinite(C x) { return isfinite(x.re) && isfinite(x.im); } \
    XP_FUNCTION C load_rw(const C* p, Int i) { return p[i]; } \
    /* x / abs(x); of what is infinite in one part, that part's sign */ \
    XP_FUNCTION C sign(C x) { \
        const T size = absolute(x), none = size - size; \
        if (isnan(size) || (isinf(x.re) && isinf(x.im))) return {none, none}; \
        if (size == T(0)) return {T(0), T(0)}; \
        if (isinf(size)) return isinf(x.re) ? C{sign(x.re), T(0)} : C{T(0), sign(x.im)}; \
        return {x.re / size, x.im / size}; \
    }

XP_COMPLEX(complex64, float32)
XP_COMPLEX(complex128, float64)
