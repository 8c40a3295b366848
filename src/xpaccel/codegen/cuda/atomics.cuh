// Combining with an element that other threads combine with too, in one indivisible step.

FUNCTION void atomic_sum(int32* p, int32 v) { atomicAdd(p, v); }
FUNCTION void atomic_sum(uint32* p, uint32 v) { atomicAdd(p, v); }
FUNCTION void atomic_sum(int64* p, int64 v) { atomicAdd(reinterpret_cast<uint64*>(p), (uint64)v); }
FUNCTION void atomic_sum(uint64* p, uint64 v) { atomicAdd(p, v); }
FUNCTION void atomic_sum(float32* p, float32 v) { atomicAdd(p, v); }
FUNCTION void atomic_sum(float64* p, float64 v) { atomicAdd(p, v); }
template <class T, class C> FUNCTION void atomic_sum_parts(C* p, C v) {
    T* parts = reinterpret_cast<T*>(p);
    atomicAdd(parts, v.re);
    atomicAdd(parts + 1, v.im);
}
FUNCTION void atomic_sum(complex64* p, complex64 v) { atomic_sum_parts<float32>(p, v); }
FUNCTION void atomic_sum(complex128* p, complex128 v) { atomic_sum_parts<float64>(p, v); }

FUNCTION void atomic_max(int32* p, int32 v) { atomicMax(p, v); }
FUNCTION void atomic_max(uint32* p, uint32 v) { atomicMax(p, v); }
FUNCTION void atomic_max(int64* p, int64 v) { atomicMax(p, v); }
FUNCTION void atomic_max(uint64* p, uint64 v) { atomicMax(p, v); }
FUNCTION void atomic_min(int32* p, int32 v) { atomicMin(p, v); }
FUNCTION void atomic_min(uint32* p, uint32 v) { atomicMin(p, v); }
FUNCTION void atomic_min(int64* p, int64 v) { atomicMin(p, v); }
FUNCTION void atomic_min(uint64* p, uint64 v) { atomicMin(p, v); }

// What the hardware has no operation for: try until nobody came between reading and writing.
FUNCTION uint32 bits_of(int32 x) { return (uint32)x; }
FUNCTION uint32 bits_of(uint32 x) { return x; }
FUNCTION uint32 bits_of(float32 x) { return (uint32)__float_as_int(x); }
FUNCTION uint64 bits_of(int64 x) { return (uint64)x; }
FUNCTION uint64 bits_of(uint64 x) { return x; }
FUNCTION uint64 bits_of(float64 x) { return (uint64)__double_as_longlong(x); }
FUNCTION void of_bits(uint32 bits, int32& x) { x = (int32)bits; }
FUNCTION void of_bits(uint32 bits, uint32& x) { x = bits; }
FUNCTION void of_bits(uint32 bits, float32& x) { x = __int_as_float((int32)bits); }
FUNCTION void of_bits(uint64 bits, int64& x) { x = (int64)bits; }
FUNCTION void of_bits(uint64 bits, uint64& x) { x = bits; }
FUNCTION void of_bits(uint64 bits, float64& x) { x = __longlong_as_double((int64)bits); }

template <class R, class T> FUNCTION void atomic_combine(T* p, T v) {
    typedef decltype(bits_of(v)) Bits;
    Bits* place = reinterpret_cast<Bits*>(p);
    for (Bits seen = *reinterpret_cast<volatile Bits*>(p);;) {
        T there;
        of_bits(seen, there);
        const Bits wanted = bits_of(R::combine(there, v));
        if (wanted == seen) return;
        const Bits before = atomicCAS(place, seen, wanted);
        if (before == seen) return;
        seen = before;
    }
}

struct Products {
    FUNCTION float32 combine(float32 x, float32 y) { return x * y; }
    FUNCTION float64 combine(float64 x, float64 y) { return x * y; }
    FUNCTION int32 combine(int32 x, int32 y) { return (int32)((uint32)x * (uint32)y); }
    FUNCTION int64 combine(int64 x, int64 y) { return (int64)((uint64)x * (uint64)y); }
    FUNCTION uint32 combine(uint32 x, uint32 y) { return x * y; }
    FUNCTION uint64 combine(uint64 x, uint64 y) { return x * y; }
};
template <class T> FUNCTION void atomic_prod(T* p, T v) { atomic_combine<Products>(p, v); }

// The same bits in every order: one NaN for all of them, and 0 is more than -0.
FUNCTION float32 some_nan(float32) { return nan32(); }
FUNCTION float64 some_nan(float64) { return nan64(); }
struct Largest {
    template <class T> FUNCTION T combine(T x, T y) {
        if (x != x) return x;
        if (y != y) return some_nan(y);
        return x > y || (x == y && !signbit(x)) ? x : y;
    }
};
struct Smallest {
    template <class T> FUNCTION T combine(T x, T y) {
        if (x != x) return x;
        if (y != y) return some_nan(y);
        return x < y || (x == y && signbit(x)) ? x : y;
    }
};
FUNCTION void atomic_max(float32* p, float32 v) { atomic_combine<Largest>(p, v); }
FUNCTION void atomic_max(float64* p, float64 v) { atomic_combine<Largest>(p, v); }
FUNCTION void atomic_min(float32* p, float32 v) { atomic_combine<Smallest>(p, v); }
FUNCTION void atomic_min(float64* p, float64 v) { atomic_combine<Smallest>(p, v); }

// All who write here write the same.
FUNCTION void atomic_any(bool* p, bool v) {
    if (v) *p = true;
}
FUNCTION void atomic_all(bool* p, bool v) {
    if (!v) *p = false;
}
