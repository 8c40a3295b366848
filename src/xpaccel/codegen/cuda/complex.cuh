// Complex numbers, with NumPy's formulas, so that special values come out as its.

FUNCTION complex64 join(float32 re, float32 im) { return {re, im}; }
FUNCTION complex128 join(float64 re, float64 im) { return {re, im}; }

#define XP_COMPLEX(C, T) \
    FUNCTION C operator+(C x, C y) { return {x.re + y.re, x.im + y.im}; } \
    FUNCTION C operator-(C x, C y) { return {x.re - y.re, x.im - y.im}; } \
    FUNCTION C operator-(C x) { return {-x.re, -x.im}; } \
    FUNCTION C operator*(C x, C y) { return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re}; } \
    FUNCTION bool operator==(C x, C y) { return x.re == y.re && x.im == y.im; } \
    FUNCTION bool operator!=(C x, C y) { return !(x == y); } \
    /* scaled by the larger part of the divisor (Smith 1962) */ \
    FUNCTION C operator/(C x, C y) { \
        if (fabs(y.re) >= fabs(y.im)) { \
            if (y.re == T(0) && y.im == T(0)) return {x.re / fabs(y.re), x.im / fabs(y.re)}; \
            const T ratio = y.im / y.re, scale = T(1) / (y.re + y.im * ratio); \
            return {(x.re + x.im * ratio) * scale, (x.im - x.re * ratio) * scale}; \
        } \
        const T ratio = y.re / y.im, scale = T(1) / (y.im + y.re * ratio); \
        return {(x.re * ratio + x.im) * scale, (x.im * ratio - x.re) * scale}; \
    } \
    FUNCTION C reciprocal(C x) { \
        if (fabs(x.im) <= fabs(x.re)) { \
            const T ratio = x.im / x.re, scale = x.re + x.im * ratio; \
            return {T(1) / scale, -ratio / scale}; \
        } \
        const T ratio = x.re / x.im, scale = x.re * ratio + x.im; \
        return {ratio / scale, T(-1) / scale}; \
    } \
    FUNCTION T absolute(C x) { return hypot(x.re, x.im); } \
    FUNCTION T real(C x) { return x.re; } \
    FUNCTION T imag(C x) { return x.im; } \
    FUNCTION C conjugate(C x) { return {x.re, -x.im}; } \
    FUNCTION bool isnan(C x) { return isnan(x.re) || isnan(x.im); } \
    FUNCTION bool isinf(C x) { return isinf(x.re) || isinf(x.im); } \
    FUNCTION bool isfinite(C x) { return isfinite(x.re) && isfinite(x.im); } \
    FUNCTION C load_rw(const C* p, Int i) { return p[i]; } \
    /* x / abs(x); of what is infinite in one part, that part's sign */ \
    FUNCTION C sign(C x) { \
        const T size = absolute(x), none = size - size; \
        if (isnan(size) || (isinf(x.re) && isinf(x.im))) return {none, none}; \
        if (size == T(0)) return {T(0), T(0)}; \
        if (isinf(size)) return isinf(x.re) ? C{sign(x.re), T(0)} : C{T(0), sign(x.im)}; \
        return {x.re / size, x.im / size}; \
    }

XP_COMPLEX(complex64, float32)
XP_COMPLEX(complex128, float64)

// -- transcendental functions: W. Kahan, Branch Cuts for Complex Elementary Functions (1987) ------------------------

#define XP_COMPLEX_FUNCTIONS(C, T, MOST, HUGE) \
    FUNCTION C swapped(C x) { return {x.im, x.re}; } \
    FUNCTION C exp(C x) { \
        if (x.im == T(0)) return {exp(x.re), x.im}; \
        const T c = cos(x.im), s = sin(x.im); \
        if (x.re > MOST && isfinite(x.re)) { /* the parts may be finite where exp is not */ \
            const T half = exp(x.re * T(0.5)); \
            return {half * c * half, half * s * half}; \
        } \
        const T e = exp(x.re); \
        if (e == T(0)) return {copysign(e, c), copysign(e, s)}; \
        return {e * c, e * s}; \
    } \
    FUNCTION C log(C x) { \
        const T a = fabs(x.re), b = fabs(x.im), large = maximum(a, b), small = minimum(a, b); \
        const T size = hypot(a, b), angle = atan2(x.im, x.re); \
        if (size > T(0.5) && size < T(2)) /* near 1, without cancellation */ \
            return {T(0.5) * log1p((large - T(1)) * (large + T(1)) + small * small), angle}; \
        if (isinf(size) && isfinite(large)) return {log(hypot(a * T(0.5), b * T(0.5))) + T(0.693147180559945309417), angle}; \
        return {log(size), angle}; \
    } \
    FUNCTION C sqrt(C x) { \
        if (x.re == T(0) && x.im == T(0)) return {T(0), x.im}; \
        if (isinf(x.im)) return {fabs(x.im), x.im}; \
        if (isinf(x.re) && !isnan(x.im)) \
            return x.re > T(0) ? C{x.re, copysign(T(0), x.im)} : C{T(0), copysign(x.re, x.im)}; \
        const T scale = maximum(fabs(x.re), fabs(x.im)) > HUGE ? T(0.25) : T(1); \
        const T a = x.re * scale, b = x.im * scale, back = scale < T(1) ? T(2) : T(1); \
        const T t = sqrt((fabs(a) + hypot(a, b)) * T(0.5)), u = b / (T(2) * t); \
        return a >= T(0) ? C{t * back, u * back} : C{fabs(u) * back, copysign(t, x.im) * back}; \
    } \
    FUNCTION C sinh(C x) { \
        if (x.im == T(0)) return {sinh(x.re), x.im}; \
        return {sinh(x.re) * cos(x.im), cosh(x.re) * sin(x.im)}; \
    } \
    FUNCTION C cosh(C x) { \
        if (x.im == T(0)) return {cosh(x.re), x.im * copysign(T(1), x.re)}; \
        return {cosh(x.re) * cos(x.im), sinh(x.re) * sin(x.im)}; \
    } \
    FUNCTION C sin(C x) { return swapped(sinh(swapped(x))); } \
    FUNCTION C cos(C x) { return cosh(C{-x.im, x.re}); } \
    FUNCTION C tanh(C x) { \
        if (fabs(x.re) > T(22)) { \
            const T e = exp(-T(2) * fabs(x.re)); \
            return {copysign(T(1), x.re), T(4) * sin(x.im) * cos(x.im) * e}; \
        } \
        const T t = tan(x.im), s = sinh(x.re), beta = T(1) + t * t, rho = sqrt(T(1) + s * s); \
        if (isinf(t)) return {rho / s, T(1) / t}; \
        const T below = T(1) + beta * s * s; \
        return {beta * rho * s / below, t / below}; \
    } \
    FUNCTION C tan(C x) { return swapped(tanh(swapped(x))); } \
    FUNCTION C asin(C x) { \
        const C below = sqrt(C{T(1) - x.re, -x.im}), above = sqrt(C{T(1) + x.re, x.im}); \
        return {atan2(x.re, (below * above).re), asinh((conjugate(below) * above).im)}; \
    } \
    FUNCTION C acos(C x) { \
        const C below = sqrt(C{T(1) - x.re, -x.im}), above = sqrt(C{T(1) + x.re, x.im}); \
        return {T(2) * atan2(below.re, above.re), asinh((conjugate(above) * below).im)}; \
    } \
    FUNCTION C acosh(C x) { \
        const C below = sqrt(C{x.re - T(1), x.im}), above = sqrt(C{x.re + T(1), x.im}); \
        return {asinh((conjugate(below) * above).re), T(2) * atan2(below.im, above.re)}; \
    } \
    FUNCTION C asinh(C x) { return swapped(asin(swapped(x))); } \
    FUNCTION C atanh(C x) { \
        const T a = fabs(x.re), b = x.im, far = T(1) - a; \
        if (a > HUGE || fabs(b) > HUGE) return {copysign(T(0), x.re), copysign(T(1.57079632679489661923), b)}; \
        const T real = T(0.25) * log1p(T(4) * a / (far * far + b * b)); \
        const T imag = T(0.5) * atan2(T(2) * b, far * (T(1) + a) - b * b); \
        return {copysign(real, x.re), imag}; \
    } \
    FUNCTION C atan(C x) { return swapped(atanh(swapped(x))); } \
    FUNCTION C expm1(C x) { \
        const T half = sin(x.im / T(2)); \
        return {expm1(x.re) * cos(x.im) - T(2) * half * half, exp(x.re) * sin(x.im)}; \
    } \
    FUNCTION C log1p(C x) { \
        const T a = x.re + T(1); \
        return {log(hypot(a, x.im)), atan2(x.im, a)}; \
    } \
    FUNCTION C log2(C x) { \
        const C y = log(x); \
        return {y.re * T(1.44269504088896340736), y.im * T(1.44269504088896340736)}; \
    } \
    FUNCTION C log10(C x) { \
        const C y = log(x); \
        return {y.re * T(0.434294481903251827651), y.im * T(0.434294481903251827651)}; \
    } \
    /* by multiplication where the exponent is a small whole number, as NumPy does */ \
    FUNCTION C power(C x, C y) { \
        const C one = {T(1), T(0)}; \
        if (y.re == T(0) && y.im == T(0)) return one; \
        if (y.re == T(1) && y.im == T(0)) return x; \
        if (x.re == T(0) && x.im == T(0)) { \
            const T rest = y.re > T(0) ? T(0) : x.re / x.re; \
            return {rest, rest}; \
        } \
        if (y.im == T(0) && y.re == floor(y.re) && fabs(y.re) < T(100)) { \
            C result = one; \
            for (int count = (int)fabs(y.re); count; count >>= 1, x = x * x) \
                if (count & 1) result = result * x; \
            return y.re < T(0) ? one / result : result; \
        } \
        return exp(y * log(x)); \
    }

XP_COMPLEX_FUNCTIONS(complex64, float32, 88.0f, 1e37f)
XP_COMPLEX_FUNCTIONS(complex128, float64, 709.0, 1e307)
