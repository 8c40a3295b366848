// CUDA C on the host, a test double: a grid's blocks one after another, a block's threads by turns.
//
// A kernel without barriers and shuffles runs its threads in a plain loop. Otherwise each thread is a fiber: it runs
// until it waits, and when no thread of the block can run, those that wait for one another are let go on. If none can
// be, the barrier is divergent, which is an error and says who waits where. Everything is deterministic; the order of
// blocks and of threads may be reversed, since no result may depend on it.
//
// This file is compiled once, without sanitisers, and tells them of its stacks where they are loaded.
#include "fibers.h"
#include "undefined.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

namespace {

// -- who may go on ------------------------------------------------------------------------------------------------------

bool waits_with(const Fiber &a, const Fiber &b) {
    return a.state == AT_WARP && a.line == b.line && a.kind == b.kind && a.mask == b.mask;
}

// Let the lanes of `mask` that wait for one another go on; false if `message` was set.
bool release_lanes(unsigned first, unsigned count, unsigned thread) {
    const Fiber asked = fibers[thread];
    unsigned long long before[32], ballot = 0;
    for (unsigned lane = 0; lane < count; ++lane) {
        before[lane] = fibers[first + lane].value;
        if (asked.mask >> lane & 1 && fibers[first + lane].state == AT_WARP) ballot |= (before[lane] & 1) << lane;
    }
    std::vector<unsigned> members;
    for (unsigned lane = 0; lane < count; ++lane)
        if (asked.mask >> lane & 1 && fibers[first + lane].state == AT_WARP) members.push_back(lane);
    for (unsigned lane : members) {
        Fiber &fiber = fibers[first + lane];
        if (fiber.kind == CUDA_HOST_BALLOT) fiber.value = ballot;
        if (fiber.kind != CUDA_HOST_SHUFFLE) continue;
        const unsigned source = (unsigned)fiber.source;
        bool takes_part = false;
        for (unsigned member : members) takes_part |= member == source;
        if (!takes_part) {
            message = text("shuffle at line %d: %s reads lane %d, which takes no part in it (mask %#x, %u lanes)",
                           fiber.line, name_of(first + lane).c_str(), fiber.source, fiber.mask, count);
            return false;
        }
        fiber.value = before[source];
    }
    for (unsigned lane : members) fibers[first + lane].state = RUNNABLE;
    return true;
}

bool release_warps(unsigned threads, bool &released) {
    for (unsigned first = 0; first < threads; first += 32) {
        const unsigned count = threads - first < 32 ? threads - first : 32;
        for (unsigned lane = 0; lane < count; ++lane) {
            const Fiber &fiber = fibers[first + lane];
            if (fiber.state != AT_WARP) continue;
            if (!(fiber.mask >> lane & 1)) {
                message = text("line %d: %s calls with mask %#x, which does not name its own lane %u", fiber.line,
                               name_of(first + lane).c_str(), fiber.mask, lane);
                return false;
            }
            bool complete = true;
            for (unsigned other = 0; other < count; ++other)
                if (fiber.mask >> other & 1 && fibers[first + other].state != ENDED)
                    complete &= waits_with(fibers[first + other], fiber);
            if (!complete) continue;
            if (!release_lanes(first, count, first + lane)) return false;
            released = true;
        }
    }
    return true;
}

bool release_block(unsigned threads) {
    unsigned long long count = 0;
    for (unsigned thread = 0; thread < threads; ++thread) {
        const Fiber &fiber = fibers[thread];
        if (fiber.state != AT_BARRIER || fiber.line != fibers[0].line || fiber.kind != fibers[0].kind) return false;
        count += fiber.value;
    }
    const int kind = fibers[0].kind;
    const unsigned long long vote = kind == 1 ? count == threads : kind == 2 ? count > 0 : count;
    for (unsigned thread = 0; thread < threads; ++thread) fibers[thread].state = RUNNABLE, fibers[thread].value = vote;
    return true;
}

// Say who waits where: one line of text for each state and line.
std::string divergence(unsigned threads) {
    std::string report = "divergent barrier or shuffle:";
    std::vector<bool> told(threads, false);
    for (unsigned thread = 0; thread < threads; ++thread) {
        if (told[thread]) continue;
        const Fiber &a = fibers[thread];
        unsigned count = 0;
        for (unsigned other = thread; other < threads; ++other) {
            const Fiber &b = fibers[other];
            if (b.state == a.state && (a.state == ENDED || (b.line == a.line && b.mask == a.mask)))
                told[other] = true, ++count;
        }
        const char *where = a.state == ENDED ? "ended" : a.state == AT_BARRIER ? "wait at __syncthreads" : "wait in a warp's call";
        report += text(" %u threads (first %s) %s", count, name_of(thread).c_str(), where);
        if (a.state != ENDED) report += text(" of line %d", a.line);
        if (a.state == AT_WARP) report += text(" with mask %#x", a.mask);
        report += ";";
    }
    report.pop_back();
    return report;
}

bool run_fibers(unsigned threads, bool reverse) {
    if (fibers.size() < threads) fibers.resize(threads);
    for (unsigned thread = 0; thread < threads; ++thread) start(thread);
    for (;;) {
        unsigned ended = 0;
        for (unsigned turn = 0; turn < threads; ++turn) {
            const unsigned thread = reverse ? threads - 1 - turn : turn;
            if (fibers[thread].state == RUNNABLE) resume(thread);
            if (!message.empty()) return false;
            ended += fibers[thread].state == ENDED;
        }
        if (ended == threads) return true;
        bool released = false;
        if (!release_warps(threads, released)) return false;
        if (!released && !release_block(threads)) {
            message = divergence(threads);
            return false;
        }
    }
}

#if defined(__SSE2__)
// Sets how the processor treats subnormal numbers, and puts it back.
struct FlushToZero {
    const unsigned before = __builtin_ia32_stmxcsr();
    explicit FlushToZero(bool on) {
        if (on) __builtin_ia32_ldmxcsr(before | 0x8040); // FTZ and DAZ
    }
    ~FlushToZero() { __builtin_ia32_ldmxcsr(before); }
};
#else
struct FlushToZero {
    explicit FlushToZero(bool) {} // only x86-64 shows what -ftz=true does
};
#endif

void run_plainly(unsigned threads, bool reverse) {
    for (unsigned turn = 0; turn < threads; ++turn) {
        current = reverse ? threads - 1 - turn : turn;
        cuda_host_threadIdx = position(current);
        if (setjmp(before_thread)) return;
        kernel_thread(kernel_arguments);
    }
}

// Threads that an error left in the middle keep red zones on their stacks, which the next launch would stumble over.
void abandon() {
    for (Fiber &fiber : fibers)
        if (fiber.stack && __asan_unpoison_memory_region) __asan_unpoison_memory_region(fiber.stack, STACK);
}

} // namespace

void cuda_host_fail(const std::string &what) {
    message = what + " in " + name_of(current);
    if (!uses_fibers) std::longjmp(before_thread, 1);
    fibers[current].state = ENDED;
    leaving(nullptr);
    make_current(&scheduler);
    __builtin_unreachable();
}

// -- what kernels call ---------------------------------------------------------------------------------------------------

extern "C" {

void cuda_host_barrier(int line) { wait(AT_BARRIER, line, -1, 0, 0, 0); }

int cuda_host_vote(int line, int kind, int predicate) { return (int)wait(AT_BARRIER, line, kind, 0, predicate, 0); }

unsigned long long cuda_host_warp(int line, int kind, unsigned mask, unsigned long long value, int source) {
    return wait(AT_WARP, line, kind, mask, value, source);
}

unsigned cuda_host_lane(void) { return current % 32; }

unsigned cuda_host_activemask(void) {
    const unsigned first = current / 32 * 32, threads = cuda_host_blockDim.x * cuda_host_blockDim.y * cuda_host_blockDim.z;
    unsigned mask = 0;
    for (unsigned lane = 0; lane < 32 && first + lane < threads; ++lane)
        if (!uses_fibers || fibers[first + lane].state != ENDED) mask |= 1u << lane;
    return mask;
}

void cuda_host_shared(unsigned long long *seen, void *memory, size_t bytes) {
    if (*seen == block_serial) return;
    *seen = block_serial;
    std::memset(memory, POISON, bytes);
}

void *cuda_host_dynamic_shared(void) { return dynamic_shared; }

// Run a grid. Returns null, or what went wrong. `sizes` are those of CUDA_HOST_ENTRY; `shared` is in bytes; `flush` takes
// subnormal numbers for zero, as -ftz=true does.
const char *cuda_host_launch(void (*thread)(void **), const int *sizes, void **arguments, const unsigned *grid,
                             const unsigned *block, size_t shared, int with_fibers, int reverse, int flush) {
    if (!swap) {
        void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
        swap = reinterpret_cast<decltype(swap)>(dlsym(libc, "swapcontext"));
        make_current = reinterpret_cast<decltype(make_current)>(dlsym(libc, "setcontext"));
    }
    // Arguments in memory of their own, so that the sanitiser sees a read past their end.
    std::vector<void *> copies;
    for (size_t k = 0; sizes[k]; ++k) {
        const size_t size = (size_t)sizes[k];
        void *copy = nullptr;
        if (posix_memalign(&copy, 64, size)) throw std::bad_alloc();
        copies.push_back(std::memcpy(copy, arguments[k], size));
    }
    kernel_thread = thread, kernel_arguments = copies.data(), uses_fibers = with_fibers;
    cuda_host_gridDim = dim3(grid[0], grid[1], grid[2]);
    cuda_host_blockDim = dim3(block[0], block[1], block[2]);
    const unsigned threads = block[0] * block[1] * block[2];
    const unsigned long long blocks = 1ull * grid[0] * grid[1] * grid[2];
    message.clear();
    const FlushToZero mode(flush);
    for (unsigned long long turn = 0; turn < blocks && message.empty(); ++turn) {
        const unsigned long long number = reverse ? blocks - 1 - turn : turn;
        cuda_host_blockIdx = {(unsigned)(number % grid[0]), (unsigned)(number / grid[0] % grid[1]),
                              (unsigned)(number / grid[0] / grid[1])};
        ++block_serial;
        dynamic_shared = std::malloc(shared ? shared : 1);
        std::memset(dynamic_shared, POISON, shared);
        if (!with_fibers) run_plainly(threads, reverse);
        else if (!run_fibers(threads, reverse)) abandon();
        const uint3 &b = cuda_host_blockIdx;
        if (!message.empty()) message = text("block (%u, %u, %u): ", b.x, b.y, b.z) + message;
        std::free(dynamic_shared);
    }
    for (void *copy : copies) std::free(copy);
    return message.empty() ? nullptr : message.c_str();
}

} // extern "C"
