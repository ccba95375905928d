// Runs the frame kernels on the host: what NVRTC has built in, as plain C++, and a loop over the grid.

#include <cmath>
#include <cstring>

#define __device__
#define __global__

static struct { unsigned int x, y, z; } blockIdx, threadIdx;
static const struct { unsigned int x, y; } blockDim = {32, 8};

static inline unsigned int __float_as_uint(float value) {
    unsigned int bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float __uint_as_float(unsigned int bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

#include "frames.cu"
#include "effects.cu"

// Whole blocks, as a device runs them: threads beyond the picture must see that they are.
template <typename Args>
static void run(void (*kernel)(const Args), const Args* args, unsigned int x, unsigned int y, unsigned int z) {
    for (blockIdx.z = 0; blockIdx.z < z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y * blockDim.y < y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x * blockDim.x < x; blockIdx.x++)
                for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++)
                    for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
                        kernel(*args);
}

extern "C" {
void run_preprocess(void (*kernel)(const Preprocess), const Preprocess* args, unsigned int x, unsigned int y, unsigned int z) {
    run(kernel, args, x, y, z);
}
void run_postprocess(void (*kernel)(const Postprocess), const Postprocess* args, unsigned int x, unsigned int y, unsigned int z) {
    run(kernel, args, x, y, z);
}
void run_grade(void (*kernel)(const Grade), const Grade* args, unsigned int x, unsigned int y, unsigned int z) {
    run(kernel, args, x, y, z);
}
void run_feedback(void (*kernel)(const Feedback), const Feedback* args, unsigned int x, unsigned int y, unsigned int z) {
    run(kernel, args, x, y, z);
}
float half_to_float(unsigned short bits) { return to_float(Half{bits}); }
float bfloat16_to_float(unsigned short bits) { return to_float(BFloat16{bits}); }
unsigned int float_to_half(float value) { Half half; assign(half, value); return half.bits; }
unsigned int float_to_bfloat16(float value) { BFloat16 half; assign(half, value); return half.bits; }
unsigned int size_of_preprocess() { return sizeof(Preprocess); }
unsigned int size_of_postprocess() { return sizeof(Postprocess); }
unsigned int size_of_grade() { return sizeof(Grade); }
unsigned int size_of_feedback() { return sizeof(Feedback); }
}
