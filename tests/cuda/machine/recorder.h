// What a launch does to global memory. This is put behind the definitions of load(), load_rw() and store() in a kernel's
// source, before it is compiled for the host: each access then marks its bytes, and the sectors that are new to its block.

struct Watched {
    uint64 low, high;  // addresses of the first byte and of the one behind the last
    uint8 *loaded, *stored;  // a mark for each byte
    uint32 *loader, *storer;  // for each sector of 32 bytes, the last block that touched it, from 1
};
struct Totals {
    uint64 loads, stores, block_loads, block_stores, outside;
};
static Watched watched[64];
static int watched_count;
static Totals totals;

extern "C" void recorder_start(const Watched *given, int count) {
    for (int k = 0; k < count; ++k) watched[k] = given[k];
    watched_count = count;
    totals = Totals();
}
extern "C" const Totals *recorder_totals() { return &totals; }

static inline void recorder_mark(uint64 at, int size, bool stores) {
    for (int k = 0; k < watched_count; ++k) {
        const Watched &memory = watched[k];
        if (at < memory.low || at + size > memory.high) continue;
        const uint64 place = at - memory.low;
        uint8 *marks = (stores ? memory.stored : memory.loaded) + place;
        for (int byte = 0; byte < size; ++byte) marks[byte] = 1;
        const uint32 block = 1 + blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
        uint32 &last = (stores ? memory.storer : memory.loader)[place / 32];
        if (last != block) ++(stores ? totals.block_stores : totals.block_loads);
        last = block;
        return;
    }
    ++totals.outside;
}

template <class T> static inline T recorded_load(const T *p, Int i) {
    ++totals.loads;
    recorder_mark((uint64)(p + i), sizeof(T), false);
    return p[i];
}
template <class T> static inline void recorded_store(T *p, Int i, T value) {
    ++totals.stores;
    recorder_mark((uint64)(p + i), sizeof(T), true);
    p[i] = value;
}
#define load(p, i) recorded_load(p, i)
#define load_rw(p, i) recorded_load(p, i)
#define store(p, i, value) recorded_store(p, i, value)
