// What generated CUDA C++ says: types, loads and stores, and the real scalar functions of the op table.
// Everything is in namespace xp, so that its names never meet CUDA's, which it calls as ::name.

typedef signed char int8;
typedef short int16;
typedef int int32;
typedef long long int64;
typedef unsigned char uint8;
typedef unsigned short uint16;
typedef unsigned int uint32;
typedef unsigned long long uint64;
typedef float float32;
typedef double float64;

// Distances in elements, extents and strides: 32 bits where every distance of the launch fits.
#ifdef WIDE
typedef long long Int;
#else
typedef int Int;
#endif

#define FUNCTION static __device__ __forceinline__

struct alignas(8) complex64 {
    float32 re, im;
};
struct alignas(16) complex128 {
    float64 re, im;
};

// -- memory: load() is for what no thread of the launch writes ------------------------------------------------

template <class T> FUNCTION T load(const T* p, Int i) { return __ldg(p + i); }
FUNCTION bool load(const bool* p, Int i) { return __ldg(reinterpret_cast<const uint8*>(p) + i) != 0; }
FUNCTION complex64 load(const complex64* p, Int i) {
    const float2 v = __ldg(reinterpret_cast<const float2*>(p) + i);
    return {v.x, v.y};
}
FUNCTION complex128 load(const complex128* p, Int i) {
    const double2 v = __ldg(reinterpret_cast<const double2*>(p) + i);
    return {v.x, v.y};
}
template <class T> FUNCTION T load_rw(const T* p, Int i) { return p[i]; }
FUNCTION bool load_rw(const bool* p, Int i) { return reinterpret_cast<const uint8*>(p)[i] != 0; }
template <class T> FUNCTION void store(T* p, Int i, T value) { p[i] = value; }

// -- literals that C++ has no spelling for --------------------------------------------------------------------

FUNCTION float32 inf32() { return __int_as_float(0x7f800000); }
FUNCTION float32 nan32() { return __int_as_float(0x7fc00000); }
FUNCTION float64 inf64() { return __longlong_as_double(0x7ff0000000000000LL); }
FUNCTION float64 nan64() { return __longlong_as_double(0x7ff8000000000000LL); }

// -- casts from floats to integers: what does not fit is the least integer, as on x86-64 ----------------------

FUNCTION int32 to_int32(float64 x) { return x > -2147483649.0 && x < 2147483648.0 ? (int32)x : -2147483647 - 1; }
FUNCTION int32 to_int32(float32 x) { return x >= -2147483648.0f && x < 2147483648.0f ? (int32)x : -2147483647 - 1; }
FUNCTION int64 to_int64(float64 x) {
    return x >= -9223372036854775808.0 && x < 9223372036854775808.0 ? (int64)x : -9223372036854775807LL - 1;
}
FUNCTION int64 to_int64(float32 x) {
    return x >= -9223372036854775808.0f && x < 9223372036854775808.0f ? (int64)x : -9223372036854775807LL - 1;
}
FUNCTION uint64 to_uint64(float64 x) {
    const bool high = x >= 9223372036854775808.0;
    const uint64 low = (uint64)to_int64(high ? x - 9223372036854775808.0 : x);
    return high ? low ^ 0x8000000000000000ULL : low;
}
FUNCTION uint64 to_uint64(float32 x) {
    const bool high = x >= 9223372036854775808.0f;
    const uint64 low = (uint64)to_int64(high ? x - 9223372036854775808.0f : x);
    return high ? low ^ 0x8000000000000000ULL : low;
}

// -- functions of CUDA's library, in both precisions ----------------------------------------------------------

#define XP_MATH1(name) \
    FUNCTION float32 name(float32 x) { return ::name##f(x); } \
    FUNCTION float64 name(float64 x) { return ::name(x); }
#define XP_MATH2(name) \
    FUNCTION float32 name(float32 x, float32 y) { return ::name##f(x, y); } \
    FUNCTION float64 name(float64 x, float64 y) { return ::name(x, y); }

XP_MATH1(exp) XP_MATH1(expm1) XP_MATH1(log) XP_MATH1(log1p) XP_MATH1(log2) XP_MATH1(log10)
XP_MATH1(sin) XP_MATH1(cos) XP_MATH1(tan) XP_MATH1(asin) XP_MATH1(acos) XP_MATH1(atan)
XP_MATH1(sinh) XP_MATH1(cosh) XP_MATH1(tanh) XP_MATH1(asinh) XP_MATH1(acosh) XP_MATH1(atanh)
XP_MATH1(sqrt) XP_MATH1(cbrt) XP_MATH1(fabs) XP_MATH1(floor) XP_MATH1(ceil) XP_MATH1(trunc) XP_MATH1(rint)
XP_MATH2(pow) XP_MATH2(atan2) XP_MATH2(hypot) XP_MATH2(copysign) XP_MATH2(nextafter) XP_MATH2(fmod)

// -- integers -------------------------------------------------------------------------------------------------

template <class T> FUNCTION T floor(T x) { return x; }
template <class T> FUNCTION T ceil(T x) { return x; }
template <class T> FUNCTION T trunc(T x) { return x; }
template <class T> FUNCTION T rint(T x) { return x; }
template <class T> FUNCTION T absolute(T x) { return x < T(0) ? T(0ULL - (uint64)x) : x; }
template <class T> FUNCTION T sign(T x) { return T((x > T(0)) - (x < T(0))); }
template <class T> FUNCTION T maximum(T x, T y) { return x > y ? x : y; }
template <class T> FUNCTION T minimum(T x, T y) { return x < y ? x : y; }

// A quotient by 0 is 0, and the least integer over -1 is itself: NumPy's integers wrap.
template <class T> FUNCTION T floor_divide(T x, T y) {
    if (y == T(0)) return T(0);
    if (T(-1) < T(0) && y == T(-1)) return T(0ULL - (uint64)x);
    const T quotient = T(x / y), rest = T(x - quotient * y);
    return T(quotient - (rest != T(0) && (rest < T(0)) != (y < T(0))));
}
template <class T> FUNCTION T remainder(T x, T y) {
    if (y == T(0) || (T(-1) < T(0) && y == T(-1))) return T(0);
    const T rest = T(x % y);
    return rest != T(0) && (rest < T(0)) != (y < T(0)) ? T(rest + y) : rest;
}
// Modulo 2^64, which is right modulo every smaller power of two.
template <class T> FUNCTION T power(T x, T y) {
    uint64 base = (uint64)x, count = (uint64)y, result = 1;
    for (; count; count >>= 1, base *= base)
        if (count & 1) result *= base;
    return T(result);
}
template <class T> FUNCTION T left_shift(T x, T y) {
    return (uint64)y < 8 * sizeof(T) ? T((uint64)x << (uint64)y) : T(0);
}
template <class T> FUNCTION T right_shift(T x, T y) {
    const bool fits = (uint64)y < 8 * sizeof(T);
    if (T(-1) < T(0)) return T(x >> (fits ? (int)y : (int)(8 * sizeof(T) - 1)));  // all bits become the sign
    return fits ? T(x >> (int)y) : T(0);
}
template <class T> FUNCTION T invert(T x) { return T(~x); }
FUNCTION bool invert(bool x) { return !x; }
FUNCTION bool logical_not(bool x) { return !x; }
template <class T> FUNCTION bool isnan(T) { return false; }
template <class T> FUNCTION bool isinf(T) { return false; }
template <class T> FUNCTION bool isfinite(T) { return true; }
template <class T> FUNCTION T conjugate(T x) { return x; }

// -- floats ---------------------------------------------------------------------------------------------------

#define XP_FLOAT(T, INF) \
    FUNCTION T absolute(T x) { return fabs(x); } \
    FUNCTION T sign(T x) { return x != x ? x : T((x > T(0)) - (x < T(0))); } \
    FUNCTION T reciprocal(T x) { return T(1) / x; } \
    FUNCTION T maximum(T x, T y) { return x != x ? x : (x > y ? x : y); } \
    FUNCTION T minimum(T x, T y) { return x != x ? x : (x < y ? x : y); } \
    FUNCTION bool isnan(T x) { return x != x; } \
    FUNCTION bool isinf(T x) { return fabs(x) == INF; } \
    FUNCTION bool isfinite(T x) { return fabs(x) < INF; } \
    FUNCTION bool signbit(T x) { return copysign(T(1), x) < T(0); } \
    FUNCTION T power(T x, T y) { return pow(x, y); } \
    /* floor(x / y) and x modulo y as NumPy's npy_divmod finds them */ \
    FUNCTION T floor_divide(T x, T y) { \
        const T ratio = x / y; \
        if (y == T(0)) return ratio; \
        const T truncated = fmod(x, y); \
        const bool adjust = (y < T(0)) != (truncated < T(0)) && !(truncated == T(0)); \
        T quotient = (x - truncated) / y; \
        if (adjust) quotient = quotient - T(1); \
        if (quotient == T(0)) return copysign(T(0), ratio); \
        const T whole = floor(quotient); \
        return quotient - whole > T(0.5) ? whole + T(1) : whole; \
    } \
    FUNCTION T remainder(T x, T y) { \
        const T truncated = fmod(x, y); \
        if (y == T(0)) return truncated; \
        if (truncated == T(0)) return copysign(T(0), y); \
        return (y < T(0)) != (truncated < T(0)) ? truncated + y : truncated; \
    } \
    FUNCTION T logaddexp(T x, T y) { \
        if (x == y) return x + T(0.693147180559945309417232121458); \
        const T difference = x - y, larger = difference > T(0) ? x : y; \
        return larger + log1p(exp(-absolute(difference))); \
    }

XP_FLOAT(float32, inf32())
XP_FLOAT(float64, inf64())
