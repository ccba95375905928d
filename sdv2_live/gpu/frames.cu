// Frames to pixels and pixels to frames, each in one pass over memory.
//
// This file is compiled by NVRTC for the device and by a C++ compiler for the tests, so it includes nothing and uses no CUDA
// type: half precision is handled as bits. Every sum is an explicit fmaf and the build forbids other contractions, so that
// both compute the same floats. The structs are mirrored, field by field, in fused.py.

struct Half { unsigned short bits; };
struct BFloat16 { unsigned short bits; };

__device__ inline float to_float(float value) { return value; }

__device__ inline float to_float(BFloat16 value) { return __uint_as_float((unsigned int)value.bits << 16); }

__device__ inline float to_float(Half value) {
    const unsigned int sign = (unsigned int)(value.bits & 0x8000) << 16;
    const unsigned int exponent = value.bits >> 10 & 31, fraction = value.bits & 0x3ff;
    if (exponent == 0)  // zero or subnormal: the build flushes subnormal float32, and none is made here
        return __uint_as_float(sign | __float_as_uint((float)fraction * (1.0f / 16777216)));
    const unsigned int wide = exponent == 31 ? 255 : exponent + 112;
    return __uint_as_float(sign | wide << 23 | fraction << 13);
}

__device__ inline void assign(float& to, float value) { to = value; }

// Round half to even; for finite values, as all are that these kernels write.
__device__ inline void assign(BFloat16& to, float value) {
    const unsigned int bits = __float_as_uint(value);
    to.bits = (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Round half to even; for values below 65504, as all are that these kernels write.
__device__ inline void assign(Half& to, float value) {
    const unsigned int bits = __float_as_uint(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    unsigned int half;
    if (magnitude < 0x38800000)  // below 2^-14: beside 0.5 a float32 has the step of a subnormal half, and rounds to it
        half = __float_as_uint(__uint_as_float(magnitude) + 0.5f) - 0x3f000000;
    else
        half = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
    to.bits = (unsigned short)(sign | half);
}

// A filter along one axis: out[i] = sum of weights[k * outputs + i] * in[start[i] + k] over k < taps, all within the input.
struct Axis {
    const int* start;
    const float* weights;
    int taps;
    int outputs;
};

enum Format { RGB = 0, BGR = 1, UYVY = 2 };  // bytes in memory; RGB and BGR have a fourth

struct Triple { float a, b, c; };

__device__ inline void accumulate(Triple& sum, float weight, float a, float b, float c) {
    sum.a = fmaf(weight, a, sum.a);
    sum.b = fmaf(weight, b, sum.b);
    sum.c = fmaf(weight, c, sum.c);
}

// Row `component` of a colour change: three factors and an offset.
__device__ inline float mix(const float* row, const Triple& in) {
    return fmaf(row[2], in.c, fmaf(row[1], in.b, row[0] * in.a)) + row[3];
}

__device__ inline float clamp(float value, float low, float high) { return fminf(fmaxf(value, low), high); }

__device__ inline float byte_of(unsigned int word, int shift) { return (float)(word >> shift & 255); }

struct Preprocess {
    const unsigned int* source;  // the frame's crop, rows of `words` words without gaps
    void* out;                   // one frame of pixels: rows of `width` elements without gaps
    long long channel;           // elements from one channel to the next
    Axis rows, columns, chroma;  // chroma: from a row's chroma samples straight to the output's columns
    int words;
    int format;
    int width, height;           // of the output
    int x, y;                    // where the picture lies in it; the rest is black
    int graded;                  // R'G'B' codes change their colours, too
    int mirror, flip;            // left and right, or top and bottom of the picture are swapped
    float color[3][4];           // Y'CbCr codes, and R'G'B' codes where they are graded, to R'G'B' in [-1, 1]
};

// Codes 0..255 of one output pixel, resized: R'G'B' or, from UYVY, Y'CbCr.
__device__ inline Triple sample(const Preprocess& p, int x, int y) {
    const unsigned int* source = p.source + (long long)p.rows.start[y] * p.words;
    const float* row_weights = p.rows.weights + y;
    const bool uyvy = p.format == UYVY;
    const int red = p.format == BGR ? 16 : 0;
    Triple sum = {0, 0, 0};
    for (int j = 0; j < p.columns.taps; j++) {
        const int column = p.columns.start[x] + j;
        const float weight = p.columns.weights[j * p.columns.outputs + x];
        Triple down = {0, 0, 0};
        for (int i = 0; i < p.rows.taps; i++) {
            const float row_weight = row_weights[i * p.rows.outputs];
            if (uyvy) {
                down.a = fmaf(row_weight, byte_of(source[i * p.words + (column >> 1)], column & 1 ? 24 : 8), down.a);
            } else {
                const unsigned int pixel = source[i * p.words + column];
                accumulate(down, row_weight, byte_of(pixel, red), byte_of(pixel, 8), byte_of(pixel, 16 - red));
            }
        }
        accumulate(sum, weight, down.a, down.b, down.c);
    }
    for (int j = 0; uyvy && j < p.chroma.taps; j++) {
        const int pair = p.chroma.start[x] + j;
        const float weight = p.chroma.weights[j * p.chroma.outputs + x];
        Triple down = {0, 0, 0};
        for (int i = 0; i < p.rows.taps; i++) {
            const unsigned int word = source[i * p.words + pair];
            accumulate(down, row_weights[i * p.rows.outputs], 0, byte_of(word, 0), byte_of(word, 16));
        }
        accumulate(sum, weight, 0, down.b, down.c);
    }
    return sum;
}

// A thread makes one output pixel.
template <typename T>
__device__ inline void preprocess(const Preprocess& p) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= p.width || y >= p.height) return;
    Triple rgb = {-1, -1, -1};
    const int left = x - p.x, top = y - p.y, right = p.columns.outputs - 1, bottom = p.rows.outputs - 1;
    if (left >= 0 && top >= 0 && left <= right && top <= bottom) {
        const Triple codes = sample(p, p.mirror ? right - left : left, p.flip ? bottom - top : top);
        if (p.format == UYVY || p.graded)
            rgb = {mix(p.color[0], codes), mix(p.color[1], codes), mix(p.color[2], codes)};
        else
            rgb = {codes.a / 127.5f - 1, codes.b / 127.5f - 1, codes.c / 127.5f - 1};
    }
    T* out = (T*)p.out + (long long)y * p.width + x;
    assign(out[0], clamp(rgb.a, -1, 1));
    assign(out[p.channel], clamp(rgb.b, -1, 1));
    assign(out[2 * p.channel], clamp(rgb.c, -1, 1));
}

struct Postprocess {
    const void* pixels;                     // the crop of frame 0, channel 0
    unsigned int* out;                      // frames without gaps, rows of `words` words
    const float* detail;                    // gain and base of frame 0, planes of the crop without gaps; null for no detail
    const unsigned char* guide;             // luma of frame 0; frames and rows without gaps
    long long frame, channel, row, column;  // elements from one to the next, in `pixels`
    Axis rows, columns, chroma;             // chroma: from pixels to the columns of half-width chroma
    Axis detail_rows, detail_columns;       // from the planes of detail to a frame
    Axis guide_rows, guide_columns;         // from the guide to a frame
    int crop_height, crop_width;
    int guide_height, guide_width;
    int words, height;                      // of a frame
    int format;
    float luma_low, luma_high, chroma_low, chroma_high;
    float core, limit, luma_scale;          // of detail: what is noise, what would be a halo, codes of luma for one of 0..255
    float color[3][4];                      // R'G'B' codes to Y'CbCr codes
};

// R'G'B' codes of one input column, resized along the height.
template <typename T>
__device__ inline Triple resize_rows(const Postprocess& p, const T* pixels, int column, int y) {
    const T* at = pixels + p.rows.start[y] * p.row + column * p.column;
    Triple sum = {0, 0, 0};
    for (int i = 0; i < p.rows.taps; i++, at += p.row)
        accumulate(sum, p.rows.weights[i * p.rows.outputs + y],
                   (clamp(to_float(at[0]), -1, 1) + 1) * 127.5f,
                   (clamp(to_float(at[p.channel]), -1, 1) + 1) * 127.5f,
                   (clamp(to_float(at[2 * p.channel]), -1, 1) + 1) * 127.5f);
    return sum;
}

__device__ inline unsigned int code(float value, float low, float high) { return (unsigned int)rintf(clamp(value, low, high)); }

// What detail adds to the luma of one pixel, in codes 0..255.
__device__ inline float detail(const Postprocess& p, int x, int y) {
    if (p.detail == nullptr) return 0;
    const long long plane = (long long)p.crop_height * p.crop_width;
    const float* planes = p.detail + blockIdx.z * 2 * plane + p.detail_rows.start[y] * p.crop_width + p.detail_columns.start[x];
    float gain = 0, base = 0, luma = 0;
    for (int i = 0; i < p.detail_rows.taps; i++, planes += p.crop_width) {
        float gain_row = 0, base_row = 0;
        for (int j = 0; j < p.detail_columns.taps; j++) {
            const float weight = p.detail_columns.weights[j * p.detail_columns.outputs + x];
            gain_row = fmaf(weight, planes[j], gain_row);
            base_row = fmaf(weight, planes[plane + j], base_row);
        }
        const float weight = p.detail_rows.weights[i * p.detail_rows.outputs + y];
        gain = fmaf(weight, gain_row, gain);
        base = fmaf(weight, base_row, base);
    }
    const unsigned char* guide = p.guide + blockIdx.z * (long long)p.guide_height * p.guide_width
        + p.guide_rows.start[y] * p.guide_width + p.guide_columns.start[x];
    for (int i = 0; i < p.guide_rows.taps; i++, guide += p.guide_width) {
        float row = 0;
        for (int j = 0; j < p.guide_columns.taps; j++)
            row = fmaf(p.guide_columns.weights[j * p.guide_columns.outputs + x], (float)guide[j], row);
        luma = fmaf(p.guide_rows.weights[i * p.guide_rows.outputs + y], row, luma);
    }
    const float change = fmaf(gain, clamp(luma, 0, 255), -base);
    return clamp(change - clamp(change, -p.core, p.core), -p.limit, p.limit);
}

template <typename T>
__device__ inline unsigned int rgb_word(const Postprocess& p, const T* pixels, int x, int y) {
    Triple rgb = {0, 0, 0};
    for (int j = 0; j < p.columns.taps; j++) {
        const Triple in = resize_rows(p, pixels, p.columns.start[x] + j, y);
        accumulate(rgb, p.columns.weights[j * p.columns.outputs + x], in.a, in.b, in.c);
    }
    const float more = detail(p, x, y);
    const unsigned int red = code(rgb.a + more, 0, 255), green = code(rgb.b + more, 0, 255), blue = code(rgb.c + more, 0, 255);
    return 0xff000000 | green << 8 | (p.format == BGR ? red << 16 | blue : blue << 16 | red);
}

// The window of a chroma sample holds those of both its luma samples, so one walk over it serves all three.
template <typename T>
__device__ inline unsigned int uyvy_word(const Postprocess& p, const T* pixels, int x, int y) {
    const int start = p.chroma.start[x], left = start - p.columns.start[2 * x], right = start - p.columns.start[2 * x + 1];
    const unsigned int taps = p.columns.taps;
    Triple both = {0, 0, 0}, first = {0, 0, 0}, second = {0, 0, 0};
    for (int j = 0; j < p.chroma.taps; j++) {
        const Triple in = resize_rows(p, pixels, start + j, y);
        accumulate(both, p.chroma.weights[j * p.chroma.outputs + x], in.a, in.b, in.c);
        if ((unsigned int)(left + j) < taps)
            accumulate(first, p.columns.weights[(left + j) * p.columns.outputs + 2 * x], in.a, in.b, in.c);
        if ((unsigned int)(right + j) < taps)
            accumulate(second, p.columns.weights[(right + j) * p.columns.outputs + 2 * x + 1], in.a, in.b, in.c);
    }
    const float more_first = p.luma_scale * detail(p, 2 * x, y), more_second = p.luma_scale * detail(p, 2 * x + 1, y);
    return code(mix(p.color[1], both), p.chroma_low, p.chroma_high)
        | code(mix(p.color[0], first) + more_first, p.luma_low, p.luma_high) << 8
        | code(mix(p.color[2], both), p.chroma_low, p.chroma_high) << 16
        | code(mix(p.color[0], second) + more_second, p.luma_low, p.luma_high) << 24;
}

// A thread makes four bytes of output: one pixel, or two of UYVY.
template <typename T>
__device__ inline void postprocess(const Postprocess& p) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= p.words || y >= p.height) return;
    const T* pixels = (const T*)p.pixels + blockIdx.z * p.frame;
    unsigned int* out = p.out + ((long long)blockIdx.z * p.height + y) * p.words + x;
    *out = p.format == UYVY ? uyvy_word(p, pixels, x, y) : rgb_word(p, pixels, x, y);
}

extern "C" __global__ void preprocess_float32(const Preprocess p) { preprocess<float>(p); }
extern "C" __global__ void preprocess_float16(const Preprocess p) { preprocess<Half>(p); }
extern "C" __global__ void preprocess_bfloat16(const Preprocess p) { preprocess<BFloat16>(p); }
extern "C" __global__ void postprocess_float32(const Postprocess p) { postprocess<float>(p); }
extern "C" __global__ void postprocess_float16(const Postprocess p) { postprocess<Half>(p); }
extern "C" __global__ void postprocess_bfloat16(const Postprocess p) { postprocess<BFloat16>(p); }
