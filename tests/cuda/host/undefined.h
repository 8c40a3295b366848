// CUDA C on the host, a test double: what g++'s checks of undefined behaviour (-fsanitize=undefined) call.
//
// They take the place of the sanitiser's own runtime in processes that were started without it: a misaligned vector
// load, an index outside of a shared array or an overflow ends the kernel, and the launch fails with its line.
#pragma once

#include <cstdint>
#include <string>

// Set the launch's error and leave the thread that runs; defined in runtime.cpp.
[[noreturn]] void cuda_host_fail(const std::string &what);

namespace undefined {

// The beginnings of what g++ passes, as libubsan declares them.
struct Place {
    const char *file;
    uint32_t line, column;
};
struct Type {
    uint16_t kind, info;
    char name[1];
};
struct Typed {
    Place place;
    const Type *type;
};
struct Mismatch {
    Place place;
    const Type *type;
    unsigned char log_alignment, kind;
};

[[noreturn]] inline void fail(const Place &place, const std::string &what) {
    cuda_host_fail("line " + std::to_string(place.line) + ": " + what);
}

} // namespace undefined

extern "C" {

void __ubsan_handle_type_mismatch_v1(undefined::Mismatch *data, uintptr_t pointer) {
    const uintptr_t alignment = uintptr_t(1) << data->log_alignment;
    const std::string type = data->type->name;
    if (!pointer) undefined::fail(data->place, "null pointer to " + type);
    if (pointer & (alignment - 1))
        undefined::fail(data->place, "misaligned address of " + type + ", which needs " + std::to_string(alignment) +
                                         " bytes: it is " + std::to_string(pointer & (alignment - 1)) + " off");
    undefined::fail(data->place, "too little memory for " + type);
}

void __ubsan_handle_out_of_bounds(undefined::Typed *data, uintptr_t index) {
    undefined::fail(data->place, "index " + std::to_string((intptr_t)index) + " out of bounds for " + data->type->name);
}

#define CUDA_HOST_UNDEFINED(NAME, WHAT)                                                                                \
    void __ubsan_handle_##NAME(undefined::Typed *data, uintptr_t, uintptr_t) { undefined::fail(data->place, WHAT); }
CUDA_HOST_UNDEFINED(add_overflow, "a signed addition overflows")
CUDA_HOST_UNDEFINED(sub_overflow, "a signed subtraction overflows")
CUDA_HOST_UNDEFINED(mul_overflow, "a signed multiplication overflows")
CUDA_HOST_UNDEFINED(negate_overflow, "a signed negation overflows")
CUDA_HOST_UNDEFINED(divrem_overflow, "an integer division by zero, or one that overflows")
CUDA_HOST_UNDEFINED(shift_out_of_bounds, "a shift by a negative number or by too many bits, or one that overflows")
CUDA_HOST_UNDEFINED(pointer_overflow, "the address of an element overflows")
CUDA_HOST_UNDEFINED(load_invalid_value, "a bool or enumeration holds another value than it can")
CUDA_HOST_UNDEFINED(float_cast_overflow, "a float does not fit the integer that it is cast to")
CUDA_HOST_UNDEFINED(vla_bound_not_positive, "an array of no or negative length")
CUDA_HOST_UNDEFINED(builtin_unreachable, "what cannot be reached is reached")
CUDA_HOST_UNDEFINED(missing_return, "a function ends without its value")
CUDA_HOST_UNDEFINED(nonnull_arg, "a null pointer where there must be none")
CUDA_HOST_UNDEFINED(invalid_builtin, "a count of leading or trailing zeros of 0")
#undef CUDA_HOST_UNDEFINED

} // extern "C"
