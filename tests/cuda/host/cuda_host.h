// CUDA C on the host, a test double: what generated kernels use of CUDA, spelled for g++.
//
// It is included before a kernel's source (host.py does so). It offers what NVRTC offers without any #include, and
// leaves out on purpose what NVRTC lacks (INFINITY, int64_t, atomicAdd of long long) and what xpaccel never prints
// (rsqrt: it is not rounded correctly). Nothing of the standard library is included: a kernel compiles in 0.1 s.
// Threads, barriers and shuffles are in runtime.cpp, which is compiled once.
#pragma once

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
// `__shared__` is rewritten by host.py: ordinary statics, so that the address sanitiser guards them.

#include "threads.h"

extern "C" {
int printf(const char *format, ...);
void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
}

// -- vector types, with CUDA's alignments ------------------------------------------------------------------------------

#define CUDA_VECTORS(T, C, A2, A4)                                                                                     \
    struct C##1 { T x; };                                                                                              \
    struct alignas(A2) C##2 { T x, y; };                                                                               \
    struct alignas(A4) C##4 { T x, y, z, w; };                                                                         \
    static inline C##1 make_##C##1(T x) { return {x}; }                                                                \
    static inline C##2 make_##C##2(T x, T y) { return {x, y}; }                                                        \
    static inline C##4 make_##C##4(T x, T y, T z, T w) { return {x, y, z, w}; }

CUDA_VECTORS(signed char, char, 2, 4)
CUDA_VECTORS(unsigned char, uchar, 2, 4)
CUDA_VECTORS(short, short, 4, 8)
CUDA_VECTORS(unsigned short, ushort, 4, 8)
CUDA_VECTORS(int, int, 8, 16)
CUDA_VECTORS(unsigned int, uint, 8, 16)
CUDA_VECTORS(long long, longlong, 16, 16)
CUDA_VECTORS(unsigned long long, ulonglong, 16, 16)
CUDA_VECTORS(float, float, 8, 16)
CUDA_VECTORS(double, double, 16, 16)
#undef CUDA_VECTORS
struct int3 { int x, y, z; };
struct float3 { float x, y, z; };
struct double3 { double x, y, z; };
static inline int3 make_int3(int x, int y, int z) { return {x, y, z}; }
static inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
static inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
static inline double3 make_double3(double x, double y, double z) { return {x, y, z}; }

#include "cuda_math.h"

// -- indices, barriers, shuffles --------------------------------------------------------------------------------------

#define threadIdx (const_cast<const uint3 &>(cuda_host_threadIdx))
#define blockIdx (const_cast<const uint3 &>(cuda_host_blockIdx))
#define blockDim (const_cast<const dim3 &>(cuda_host_blockDim))
#define gridDim (const_cast<const dim3 &>(cuda_host_gridDim))
static constexpr int warpSize = 32;

// Which barrier a thread waits at is told by its line, so a divergent barrier can be named.
#define __syncthreads() cuda_host_barrier(__LINE__)
#define __syncthreads_count(p) cuda_host_vote(__LINE__, 0, !!(p))
#define __syncthreads_and(p) cuda_host_vote(__LINE__, 1, !!(p))
#define __syncthreads_or(p) cuda_host_vote(__LINE__, 2, !!(p))

static inline void cuda_host_syncwarp(int line, unsigned mask = 0xffffffffu) {
    cuda_host_warp(line, CUDA_HOST_SYNC, mask, 0, 0);
}

template <class T> static inline T cuda_host_exchange(int line, unsigned mask, T value, int source) {
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    bits = cuda_host_warp(line, CUDA_HOST_SHUFFLE, mask, bits, source);
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

// The source lane, as the PTX manual defines it: a lane whose source lies outside of its segment of `width` lanes reads
// itself. Overloads and not templates: bool and short become int, as they do in CUDA.
#define CUDA_SHUFFLES(T)                                                                                               \
    static inline T cuda_host_shfl(int line, unsigned mask, T v, int source, int width = 32) {                         \
        const int lane = cuda_host_lane();                                                                             \
        return cuda_host_exchange(line, mask, v, (lane & -width) | (source & (width - 1)));                            \
    }                                                                                                                  \
    static inline T cuda_host_shfl_down(int line, unsigned mask, T v, unsigned delta, int width = 32) {                \
        const int lane = cuda_host_lane(), source = lane + (int)delta;                                                 \
        return cuda_host_exchange(line, mask, v, source > (lane | (width - 1)) ? lane : source);                       \
    }                                                                                                                  \
    static inline T cuda_host_shfl_up(int line, unsigned mask, T v, unsigned delta, int width = 32) {                  \
        const int lane = cuda_host_lane(), source = lane - (int)delta;                                                 \
        return cuda_host_exchange(line, mask, v, source < (lane & -width) ? lane : source);                            \
    }                                                                                                                  \
    static inline T cuda_host_shfl_xor(int line, unsigned mask, T v, int bits, int width = 32) {                       \
        const int lane = cuda_host_lane(), source = lane ^ bits;                                                       \
        return cuda_host_exchange(line, mask, v, source > (lane | (width - 1)) ? lane : source);                       \
    }
CUDA_SHUFFLES(int) CUDA_SHUFFLES(unsigned) CUDA_SHUFFLES(long) CUDA_SHUFFLES(unsigned long) CUDA_SHUFFLES(long long)
CUDA_SHUFFLES(unsigned long long) CUDA_SHUFFLES(float) CUDA_SHUFFLES(double)
#undef CUDA_SHUFFLES

#define __syncwarp(...) cuda_host_syncwarp(__LINE__ __VA_OPT__(, ) __VA_ARGS__)
#define __shfl_sync(...) cuda_host_shfl(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) cuda_host_shfl_down(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) cuda_host_shfl_up(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) cuda_host_shfl_xor(__LINE__, __VA_ARGS__)
#define __ballot_sync(mask, p) ((unsigned)cuda_host_warp(__LINE__, CUDA_HOST_BALLOT, (mask), !!(p), 0))
#define __any_sync(mask, p) (__ballot_sync(mask, p) != 0)
#define __all_sync(mask, p) (__ballot_sync(mask, !(p)) == 0)
#define __activemask() cuda_host_activemask()

static inline void __threadfence(void) {}
static inline void __threadfence_block(void) {}
static inline void __threadfence_system(void) {}

// -- loads through the read-only cache: exactly the types that CUDA has ------------------------------------------------

#define CUDA_LDG(T)                                                                                                    \
    static inline T __ldg(const T *p) { return *p; }                                                                   \
    static inline T __ldcg(const T *p) { return *p; }                                                                  \
    static inline T __ldcs(const T *p) { return *p; }                                                                  \
    static inline void __stcs(T *p, T v) { *p = v; }                                                                   \
    static inline void __stcg(T *p, T v) { *p = v; }
CUDA_LDG(char) CUDA_LDG(signed char) CUDA_LDG(short) CUDA_LDG(int) CUDA_LDG(long) CUDA_LDG(long long)
CUDA_LDG(unsigned char) CUDA_LDG(unsigned short) CUDA_LDG(unsigned) CUDA_LDG(unsigned long)
CUDA_LDG(unsigned long long) CUDA_LDG(float) CUDA_LDG(double)
CUDA_LDG(char2) CUDA_LDG(char4) CUDA_LDG(uchar2) CUDA_LDG(uchar4) CUDA_LDG(short2) CUDA_LDG(short4)
CUDA_LDG(ushort2) CUDA_LDG(ushort4) CUDA_LDG(int2) CUDA_LDG(int4) CUDA_LDG(uint2) CUDA_LDG(uint4)
CUDA_LDG(longlong2) CUDA_LDG(ulonglong2) CUDA_LDG(float2) CUDA_LDG(float4) CUDA_LDG(double2)
#undef CUDA_LDG

// -- atomics, for the types that CUDA has: threads take turns here, so they are plain ----------------------------------

#define CUDA_ATOMIC(NAME, T, NEW)                                                                                      \
    static inline T NAME(T *p, T v) {                                                                                  \
        const T old = *p;                                                                                              \
        *p = (NEW);                                                                                                    \
        return old;                                                                                                    \
    }
CUDA_ATOMIC(atomicAdd, float, old + v)
CUDA_ATOMIC(atomicAdd, double, old + v)
CUDA_ATOMIC(atomicAdd, int, (int)((unsigned)old + (unsigned)v))
CUDA_ATOMIC(atomicAdd, unsigned, old + v)
CUDA_ATOMIC(atomicAdd, unsigned long long, old + v)
CUDA_ATOMIC(atomicSub, int, (int)((unsigned)old - (unsigned)v))
CUDA_ATOMIC(atomicSub, unsigned, old - v)
CUDA_ATOMIC(atomicExch, float, v)
#define CUDA_ATOMICS(T)                                                                                                \
    CUDA_ATOMIC(atomicMax, T, old < v ? v : old)                                                                       \
    CUDA_ATOMIC(atomicMin, T, v < old ? v : old)                                                                       \
    CUDA_ATOMIC(atomicAnd, T, old & v)                                                                                 \
    CUDA_ATOMIC(atomicOr, T, old | v)                                                                                  \
    CUDA_ATOMIC(atomicXor, T, old ^ v)
CUDA_ATOMICS(int) CUDA_ATOMICS(unsigned) CUDA_ATOMICS(long long) CUDA_ATOMICS(unsigned long long)
CUDA_ATOMIC(atomicExch, int, v)
CUDA_ATOMIC(atomicExch, unsigned, v)
CUDA_ATOMIC(atomicExch, unsigned long long, v)
#undef CUDA_ATOMICS
#undef CUDA_ATOMIC
#define CUDA_CAS(T)                                                                                                    \
    static inline T atomicCAS(T *p, T expected, T desired) {                                                           \
        const T old = *p;                                                                                              \
        *p = old == expected ? desired : old;                                                                          \
        return old;                                                                                                    \
    }
CUDA_CAS(int) CUDA_CAS(unsigned) CUDA_CAS(unsigned long long) CUDA_CAS(unsigned short)
#undef CUDA_CAS

// -- entry points: how the runtime calls one thread of a kernel ----------------------------------------------------------

template <class T> struct cuda_host_plain { typedef T type; };
template <class T> struct cuda_host_plain<const T> { typedef T type; };
// What a parameter is: a pointer, an integer (or bool), a floating-point number, or else a struct.
template <class T> struct cuda_host_kind { static constexpr char value = 's'; };
template <class T> struct cuda_host_kind<T *> { static constexpr char value = 'p'; };
#define CUDA_KIND(T, K) template <> struct cuda_host_kind<T> { static constexpr char value = K; };
CUDA_KIND(bool, 'i') CUDA_KIND(char, 'i') CUDA_KIND(signed char, 'i') CUDA_KIND(unsigned char, 'i')
CUDA_KIND(short, 'i') CUDA_KIND(unsigned short, 'i') CUDA_KIND(int, 'i') CUDA_KIND(unsigned, 'i')
CUDA_KIND(long, 'i') CUDA_KIND(unsigned long, 'i') CUDA_KIND(long long, 'i') CUDA_KIND(unsigned long long, 'i')
CUDA_KIND(float, 'f') CUDA_KIND(double, 'f')
#undef CUDA_KIND
template <int... I> struct cuda_host_numbers {};

template <class... A, int... I>
static inline void cuda_host_call(void (*kernel)(A...), void **arguments, cuda_host_numbers<I...>) {
    kernel(*static_cast<const typename cuda_host_plain<A>::type *>(arguments[I])...);
}
template <class... A> static inline void cuda_host_thread(void (*kernel)(A...), void **arguments) {
    cuda_host_call(kernel, arguments, cuda_host_numbers<__integer_pack((int)sizeof...(A))...>());
}
// Sizes of the parameters in bytes, closed by a zero, and what each is.
template <class... A> static inline const int *cuda_host_sizes(void (*)(A...)) {
    static const int sizes[] = {(int)sizeof(A)..., 0};
    return sizes;
}
template <class... A> static inline const char *cuda_host_kinds(void (*)(A...)) {
    static const char kinds[] = {cuda_host_kind<A>::value..., 0};
    return kinds;
}
#define CUDA_HOST_ENTRY(NAME)                                                                                          \
    extern "C" void NAME##__thread(void **arguments) { cuda_host_thread(NAME, arguments); }                            \
    extern "C" const int *NAME##__sizes(void) { return cuda_host_sizes(NAME); }                                        \
    extern "C" const char *NAME##__kinds(void) { return cuda_host_kinds(NAME); }
