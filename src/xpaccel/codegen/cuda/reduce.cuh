// Reductions along the innermost axis, in the order that xpaccel.loops.program.Reduction fixes: a block of 1024
// elements has 64 lanes, of which a thread of a warp holds two (lane t in [0], lane t + 32 in [1]).

FUNCTION int32 shuffle(int32 x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
FUNCTION uint32 shuffle(uint32 x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
FUNCTION int64 shuffle(int64 x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
FUNCTION uint64 shuffle(uint64 x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
FUNCTION float32 shuffle(float32 x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
FUNCTION float64 shuffle(float64 x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
FUNCTION bool shuffle(bool x, int lane) { return __shfl_sync(0xffffffffu, (int32)x, lane) != 0; }
FUNCTION int8 shuffle(int8 x, int lane) { return (int8)__shfl_sync(0xffffffffu, (int32)x, lane); }
FUNCTION int16 shuffle(int16 x, int lane) { return (int16)__shfl_sync(0xffffffffu, (int32)x, lane); }
FUNCTION uint8 shuffle(uint8 x, int lane) { return (uint8)__shfl_sync(0xffffffffu, (uint32)x, lane); }
FUNCTION uint16 shuffle(uint16 x, int lane) { return (uint16)__shfl_sync(0xffffffffu, (uint32)x, lane); }
FUNCTION complex64 shuffle(complex64 x, int lane) { return {shuffle(x.re, lane), shuffle(x.im, lane)}; }
FUNCTION complex128 shuffle(complex128 x, int lane) { return {shuffle(x.re, lane), shuffle(x.im, lane)}; }

// Combine the first `width` (1 to 64) lanes of a warp: by halving, up to 8 in order. Thread 0 has the result.
template <class R, class T> FUNCTION T combine_lanes(T (&lanes)[2], int width) {
    const int me = threadIdx.x;
    if (width == 64) {  // the common case: 64 lanes are 32 after a step within each thread
        T x = R::combine(lanes[0], lanes[1]);
        for (int half = 16; half; half >>= 1) x = R::combine(x, shuffle(x, (me + half) & 31));
        return x;
    }
    if (width <= 8) {
        T x = shuffle(lanes[0], 0);
        for (int k = 1; k < width; ++k) x = R::combine(x, shuffle(lanes[0], k));
        return x;
    }
    for (int half; width > 1; width = half) {
        half = (width + 1) >> 1;
        const T low = shuffle(lanes[0], (me + half) & 31), high = shuffle(lanes[1], (me + half) & 31);
        if (me < width - half) lanes[0] = R::combine(lanes[0], me + half < 32 ? low : high);
    }
    return lanes[0];
}

// Add `part` to a total and the rounding error of the addition to what is carried along (TwoSum, Knuth 1969).
template <class T> FUNCTION void add_exactly(T& total, T& carry, T part) {
    const T sum = total + part, back = sum - total;
    carry = carry + ((total - (sum - back)) + (part - back));
    total = sum;
}
