// CUDA C on the host, a test double: the scalar functions that NVRTC offers without any #include.
#pragma once

// -- mathematics: double, float by overload, float by suffix ------------------------------------------------------------

#define CUDA_MATH1(F)                                                                                                  \
    extern "C" double F(double);                                                                                       \
    extern "C" float F##f(float);                                                                                      \
    static inline float F(float x) { return F##f(x); }
#define CUDA_MATH2(F)                                                                                                  \
    extern "C" double F(double, double);                                                                               \
    extern "C" float F##f(float, float);                                                                               \
    static inline float F(float x, float y) { return F##f(x, y); }
CUDA_MATH1(exp) CUDA_MATH1(exp2) CUDA_MATH1(expm1) CUDA_MATH1(log) CUDA_MATH1(log2) CUDA_MATH1(log10)
CUDA_MATH1(log1p) CUDA_MATH1(logb) CUDA_MATH1(sqrt) CUDA_MATH1(cbrt) CUDA_MATH1(sin) CUDA_MATH1(cos) CUDA_MATH1(tan)
CUDA_MATH1(asin) CUDA_MATH1(acos) CUDA_MATH1(atan) CUDA_MATH1(sinh) CUDA_MATH1(cosh) CUDA_MATH1(tanh)
CUDA_MATH1(asinh) CUDA_MATH1(acosh) CUDA_MATH1(atanh) CUDA_MATH1(erf) CUDA_MATH1(erfc) CUDA_MATH1(tgamma)
CUDA_MATH1(lgamma) CUDA_MATH1(ceil) CUDA_MATH1(floor) CUDA_MATH1(trunc) CUDA_MATH1(round) CUDA_MATH1(rint)
CUDA_MATH1(nearbyint) CUDA_MATH1(fabs)
CUDA_MATH2(pow) CUDA_MATH2(atan2) CUDA_MATH2(hypot) CUDA_MATH2(fmod) CUDA_MATH2(remainder) CUDA_MATH2(fmin)
CUDA_MATH2(fmax) CUDA_MATH2(fdim) CUDA_MATH2(copysign) CUDA_MATH2(nextafter)
#undef CUDA_MATH1
#undef CUDA_MATH2
extern "C" {
double fma(double, double, double);
float fmaf(float, float, float);
double ldexp(double, int);
float ldexpf(float, int);
double frexp(double, int *);
float frexpf(float, int *);
double modf(double, double *);
float modff(float, float *);
void sincos(double, double *, double *);
void sincosf(float, float *, float *);
long long llrint(double);
long long llround(double);
int abs(int) noexcept(true);
long labs(long) noexcept(true);
long long llabs(long long) noexcept(true);
}
static inline float fma(float x, float y, float z) { return fmaf(x, y, z); }
static inline float ldexp(float x, int n) { return ldexpf(x, n); }
static inline float frexp(float x, int *n) { return frexpf(x, n); }
static inline float modf(float x, float *n) { return modff(x, n); }
static inline long long abs(long long x) { return llabs(x); }
static inline long abs(long x) { return labs(x); }
static inline float abs(float x) { return fabsf(x); }
static inline double abs(double x) { return fabs(x); }

#define CUDA_TEST(F, B)                                                                                                \
    static inline bool F(double x) { return B(x); }                                                                    \
    static inline bool F(float x) { return B(x); }
CUDA_TEST(isnan, __builtin_isnan)
CUDA_TEST(isinf, 0 != __builtin_isinf)
CUDA_TEST(isfinite, __builtin_isfinite)
CUDA_TEST(signbit, 0 != __builtin_signbit)
#undef CUDA_TEST

#define CUDA_MINMAX(T)                                                                                                 \
    static inline T min(T x, T y) { return y < x ? y : x; }                                                            \
    static inline T max(T x, T y) { return x < y ? y : x; }
CUDA_MINMAX(int) CUDA_MINMAX(unsigned) CUDA_MINMAX(long) CUDA_MINMAX(unsigned long) CUDA_MINMAX(long long)
CUDA_MINMAX(unsigned long long)
#undef CUDA_MINMAX
static inline double min(double x, double y) { return fmin(x, y); }
static inline double max(double x, double y) { return fmax(x, y); }
static inline float min(float x, float y) { return fminf(x, y); }
static inline float max(float x, float y) { return fmaxf(x, y); }

// -- bits ---------------------------------------------------------------------------------------------------------------

#define CUDA_BITS(NAME, TO, FROM)                                                                                      \
    static inline TO NAME(FROM x) {                                                                                    \
        TO y;                                                                                                          \
        static_assert(sizeof x == sizeof y, "");                                                                       \
        __builtin_memcpy(&y, &x, sizeof y);                                                                            \
        return y;                                                                                                      \
    }
CUDA_BITS(__int_as_float, float, int)
CUDA_BITS(__uint_as_float, float, unsigned)
CUDA_BITS(__float_as_int, int, float)
CUDA_BITS(__float_as_uint, unsigned, float)
CUDA_BITS(__longlong_as_double, double, long long)
CUDA_BITS(__double_as_longlong, long long, double)
#undef CUDA_BITS
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned)((unsigned long long)x * y >> 32); }
static inline int __mulhi(int x, int y) { return (int)((long long)x * y >> 32); }
static inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned long long)((unsigned __int128)x * y >> 64);
}

// Operations that are rounded by themselves whatever --fmad says; here nothing is ever contracted.
static inline double __dadd_rn(double x, double y) { return x + y; }
static inline double __dsub_rn(double x, double y) { return x - y; }
static inline double __dmul_rn(double x, double y) { return x * y; }
static inline double __ddiv_rn(double x, double y) { return x / y; }
static inline double __dsqrt_rn(double x) { return sqrt(x); }
static inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fsub_rn(float x, float y) { return x - y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }

// Conversions with the saturation of the hardware, which C++ leaves undefined.
#define CUDA_TO_INT(NAME, TO, FROM, LOW, HIGH)                                                                         \
    static inline TO NAME(FROM x) {                                                                                    \
        constexpr TO low = LOW, high = HIGH;                                                                           \
        if (!(x == x)) return sizeof(TO) == 8 ? (TO)0x8000000000000000ull : (TO)0;                                     \
        if (x <= (FROM)low) return low;                                                                                \
        return x >= (FROM)high ? high : (TO)x;                                                                         \
    }
CUDA_TO_INT(__double2int_rz, int, double, -2147483647 - 1, 2147483647)
CUDA_TO_INT(__double2uint_rz, unsigned, double, 0, 4294967295u)
CUDA_TO_INT(__double2ll_rz, long long, double, -9223372036854775807ll - 1, 9223372036854775807ll)
CUDA_TO_INT(__double2ull_rz, unsigned long long, double, 0, 18446744073709551615ull)
CUDA_TO_INT(__float2int_rz, int, float, -2147483647 - 1, 2147483647)
CUDA_TO_INT(__float2uint_rz, unsigned, float, 0, 4294967295u)
CUDA_TO_INT(__float2ll_rz, long long, float, -9223372036854775807ll - 1, 9223372036854775807ll)
CUDA_TO_INT(__float2ull_rz, unsigned long long, float, 0, 18446744073709551615ull)
#undef CUDA_TO_INT
