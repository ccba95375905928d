// What is done to pixels before and after the painting: the look of pictures, and feedback.
//
// It is compiled together with frames.cu, which comes first; what is said there of the host and of sums holds here too. The structs
// are mirrored, field by field, in fused_effects.py.

// The look of painted pictures: colours, then a table.
struct Grade {
    const void* pixels;                     // frame 0, channel 0
    float* out;                             // frames and channels without gaps
    const float* table;                     // entries of three; null for none
    long long frame, channel, row, column;  // elements from one to the next, in `pixels`
    int width, height;
    int size, solid;                        // entries along an axis; one axis for each channel, or all three at once
    float color[3][4];                      // of R'G'B' in [-1, 1]
    float scale[3], offset[3];              // from that to entries
};

__device__ inline float entry(const Grade& p, int index, int channel) { return p.table[3 * index + channel]; }

// A table of three dimensions, by tetrahedra: from black along the axes, that of the largest share first.
__device__ inline Triple solid(const Grade& p, const int* first, const float* share) {
    int index = first[0] + p.size * (first[1] + p.size * first[2]);
    const int steps[3] = {1, p.size, p.size * p.size};
    int order[3] = {0, 1, 2};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2 - i; j++)
            if (share[order[j + 1]] > share[order[j]]) {
                const int swapped = order[j];
                order[j] = order[j + 1];
                order[j + 1] = swapped;
            }
    Triple sum = {0, 0, 0};
    float before = 1;
    for (int i = 0; i < 4; i++) {
        const float now = i < 3 ? share[order[i]] : 0;
        accumulate(sum, before - now, entry(p, index, 0), entry(p, index, 1), entry(p, index, 2));
        if (i < 3) index += steps[order[i]];
        before = now;
    }
    return sum;
}

// A thread makes one pixel of one frame.
template <typename T>
__device__ inline void grade(const Grade& p) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= p.width || y >= p.height) return;
    const T* at = (const T*)p.pixels + blockIdx.z * p.frame + y * p.row + x * p.column;
    const Triple in = {clamp(to_float(at[0]), -1, 1), clamp(to_float(at[p.channel]), -1, 1), clamp(to_float(at[2 * p.channel]), -1, 1)};
    float rgb[3] = {clamp(mix(p.color[0], in), -1, 1), clamp(mix(p.color[1], in), -1, 1), clamp(mix(p.color[2], in), -1, 1)};
    if (p.table != nullptr) {
        int first[3];
        float share[3];
        for (int i = 0; i < 3; i++) {
            const float place = clamp(rgb[i] * p.scale[i] + p.offset[i], 0, (float)(p.size - 1));
            first[i] = (int)fminf(place, (float)(p.size - 2));
            share[i] = place - (float)first[i];
        }
        Triple out;
        if (p.solid)
            out = solid(p, first, share);
        else
            out = {fmaf(share[0], entry(p, first[0] + 1, 0) - entry(p, first[0], 0), entry(p, first[0], 0)),
                   fmaf(share[1], entry(p, first[1] + 1, 1) - entry(p, first[1], 1), entry(p, first[1], 1)),
                   fmaf(share[2], entry(p, first[2] + 1, 2) - entry(p, first[2], 2), entry(p, first[2], 2))};
        rgb[0] = clamp(2 * out.a - 1, -1, 1), rgb[1] = clamp(2 * out.b - 1, -1, 1), rgb[2] = clamp(2 * out.c - 1, -1, 1);
    }
    const long long plane = (long long)p.width * p.height;
    float* out = p.out + blockIdx.z * 3 * plane + (long long)y * p.width + x;
    out[0] = rgb[0], out[plane] = rgb[1], out[2 * plane] = rgb[2];
}

enum Border { BLACK = 0, CLAMP = 1, MIRROR = 2, WRAP = 3 };

// The last painted picture, moved, in a chunk's pixels.
struct Feedback {
    const void* pixels;                                // frame 0, channel 0
    const void* last;                                  // one picture, its rows and columns without gaps
    void* out;                                         // channels and frames without gaps
    long long frame, channel, row, column;             // elements from one to the next, in `pixels`
    long long last_channel;                            // the same in `last`
    int frames, width, height;
    int border;
    float share;
    float place[32][2][3];                             // of each frame: from (x, y, 1) to the place in `last`
    float color[32][3][4];                             // of each frame, of R'G'B'
};

__device__ inline int inside(int index, int count, int border) {
    if (border == WRAP) {
        index %= count;
        return index < 0 ? index + count : index;
    }
    if (border == MIRROR) {
        index %= 2 * count;
        index = index < 0 ? index + 2 * count : index;
        return index < count ? index : 2 * count - 1 - index;
    }
    return index < 0 ? 0 : index >= count ? count - 1 : index;
}

template <typename T>
__device__ inline Triple seen(const Feedback& p, int x, int y) {
    if (p.border == BLACK && (x < 0 || y < 0 || x >= p.width || y >= p.height)) return {-1, -1, -1};
    const T* at = (const T*)p.last + (long long)inside(y, p.height, p.border) * p.width + inside(x, p.width, p.border);
    return {clamp(to_float(at[0]), -1, 1), clamp(to_float(at[p.last_channel]), -1, 1), clamp(to_float(at[2 * p.last_channel]), -1, 1)};
}

// A thread makes one pixel of one frame.
template <typename T>
__device__ inline void feedback(const Feedback& p) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, z = blockIdx.z;
    if (x >= p.width || y >= p.height) return;
    const float* row = p.place[z][0];
    const float* column = p.place[z][1];
    const float at_x = fmaf(row[0], (float)x, fmaf(row[1], (float)y, row[2]));
    const float at_y = fmaf(column[0], (float)x, fmaf(column[1], (float)y, column[2]));
    const float low_x = floorf(at_x), low_y = floorf(at_y), right = at_x - low_x, below = at_y - low_y;
    const int left = (int)low_x, top = (int)low_y;
    Triple moved = {0, 0, 0};
    for (int i = 0; i < 4; i++) {
        const Triple one = seen<T>(p, left + (i & 1), top + (i >> 1));
        accumulate(moved, (i & 1 ? right : 1 - right) * (i >> 1 ? below : 1 - below), one.a, one.b, one.c);
    }
    const float rgb[3] = {mix(p.color[z][0], moved), mix(p.color[z][1], moved), mix(p.color[z][2], moved)};
    const T* in = (const T*)p.pixels + z * p.frame + y * p.row + x * p.column;
    T* out = (T*)p.out + ((long long)z * p.height + y) * p.width + x;
    for (int i = 0; i < 3; i++) {
        const float before = to_float(in[i * p.channel]);
        assign(out[i * (long long)p.frames * p.height * p.width], fmaf(p.share, clamp(rgb[i], -1, 1) - before, before));
    }
}

extern "C" __global__ void grade_float32(const Grade p) { grade<float>(p); }
extern "C" __global__ void grade_float16(const Grade p) { grade<Half>(p); }
extern "C" __global__ void grade_bfloat16(const Grade p) { grade<BFloat16>(p); }
extern "C" __global__ void feedback_float32(const Feedback p) { feedback<float>(p); }
extern "C" __global__ void feedback_float16(const Feedback p) { feedback<Half>(p); }
extern "C" __global__ void feedback_bfloat16(const Feedback p) { feedback<BFloat16>(p); }
