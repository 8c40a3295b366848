// CUDA C on the host, a test double: the threads of a block as fibers, each with a stack of its own.
//
// Part of runtime.cpp. `resume` runs a thread until it waits or ends; `wait` is how it waits. The sanitiser is told of
// every change of stacks.
#pragma once

#include "threads.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <csetjmp>
#include <cstdarg>
#include <cstdio>
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

} // namespace
