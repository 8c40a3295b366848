// CUDA C on the host, a test double: a grid's blocks one after another, a block's threads by turns.
//
// A kernel without barriers and shuffles runs its threads in a plain loop. Otherwise each thread is a fiber: it runs
// until it waits, and when no thread of the block can run, those that wait for one another are let go on. If none can
// be, the barrier is divergent, which is an error and says who waits where. Everything is deterministic; the order of
// blocks and of threads may be reversed, since no result may depend on it.
//
// This file is compiled once, without sanitisers, and tells them of its stacks where they are loaded.
#include "threads.h"
#include "undefined.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <csetjmp>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

// The sanitiser's view of fibers; absent without it.
extern "C" {
__attribute__((weak)) void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t size);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *size);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void *memory, size_t size);

uint3 cuda_host_threadIdx, cuda_host_blockIdx;
dim3 cuda_host_blockDim, cuda_host_gridDim;
}

namespace {

constexpr size_t STACK = 256 * 1024; // of a thread; pages are taken as they are touched
constexpr int POISON = 0xA5;
enum State { RUNNABLE, AT_BARRIER, AT_WARP, ENDED };

struct Fiber {
    ucontext_t context;
    char *stack = nullptr;
    void *fake = nullptr; // the sanitiser's handle while the fiber rests
    State state = ENDED;
    int line = 0, kind = 0, source = 0;
    unsigned mask = 0;
    unsigned long long value = 0; // given on arrival, taken on release
};

std::vector<Fiber> fibers;
ucontext_t scheduler;
void *scheduler_fake;
const void *scheduler_bottom;
size_t scheduler_size;
unsigned current; // the linear number of the thread that runs
bool uses_fibers;
unsigned long long block_serial; // never the same for two blocks, of any launch
void *dynamic_shared;
void (*kernel_thread)(void **);
void **kernel_arguments;
std::string message;
std::jmp_buf before_thread; // where a thread without a stack of its own is left

// glibc's own: the sanitiser intercepts the public names and warns that it does not follow them; we tell it ourselves.
int (*swap)(ucontext_t *, const ucontext_t *);
int (*make_current)(ucontext_t *);

std::string text(const char *format, ...) {
    char buffer[512];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return buffer;
}

uint3 position(unsigned thread) {
    const dim3 &n = cuda_host_blockDim;
    return {thread % n.x, thread / n.x % n.y, thread / (n.x * n.y)};
}

std::string name_of(unsigned thread) {
    const uint3 p = position(thread);
    return text("thread (%u, %u, %u)", p.x, p.y, p.z);
}

// -- fibers -------------------------------------------------------------------------------------------------------------

void arrived(void *fake) {
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(fake, &scheduler_bottom, &scheduler_size);
}

void leaving(void **fake) {
    if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(fake, scheduler_bottom, scheduler_size);
}

void body() {
    arrived(nullptr);
    kernel_thread(kernel_arguments);
    fibers[current].state = ENDED;
    leaving(nullptr); // for good
    make_current(&scheduler);
}

void resume(unsigned thread) {
    current = thread;
    cuda_host_threadIdx = position(thread);
    Fiber &fiber = fibers[thread];
    if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&scheduler_fake, fiber.stack, STACK);
    swap(&scheduler, &fiber.context);
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
}

unsigned long long wait(State state, int line, int kind, unsigned mask, unsigned long long value, int source) {
    Fiber &fiber = fibers[current];
    fiber.state = state, fiber.line = line, fiber.kind = kind;
    fiber.mask = mask, fiber.value = value, fiber.source = source;
    leaving(&fiber.fake);
    swap(&fiber.context, &scheduler);
    arrived(fiber.fake);
    return fiber.value;
}

void start(unsigned thread) {
    Fiber &fiber = fibers[thread];
    if (!fiber.stack) {
        void *memory = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        fiber.stack = static_cast<char *>(memory);
    }
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, body, 0);
    fiber.state = RUNNABLE;
}

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
