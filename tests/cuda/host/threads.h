// CUDA C on the host, a test double: what kernels (cuda_host.h) and the runtime (runtime.cpp) know of each other.
#pragma once

typedef decltype(sizeof 0) size_t;

struct uint3 {
    unsigned int x, y, z;
};
struct dim3 {
    unsigned int x, y, z;
    constexpr dim3(unsigned int x = 1, unsigned int y = 1, unsigned int z = 1) : x(x), y(y), z(z) {}
};

enum { CUDA_HOST_SYNC, CUDA_HOST_SHUFFLE, CUDA_HOST_BALLOT };

extern "C" {
extern uint3 cuda_host_threadIdx, cuda_host_blockIdx;
extern dim3 cuda_host_blockDim, cuda_host_gridDim;
void cuda_host_barrier(int line);
int cuda_host_vote(int line, int kind, int predicate);
unsigned long long cuda_host_warp(int line, int kind, unsigned mask, unsigned long long value, int source);
unsigned cuda_host_lane(void);
unsigned cuda_host_activemask(void);
void cuda_host_shared(unsigned long long *seen, void *memory, size_t bytes);
void *cuda_host_dynamic_shared(void);
}
