/* Uses each GPU that CUDA shows, a line for each: its name and compute capability. Fails if there
   is none, or one that can't be used: scripts/gpu_check.sh sees by it what can be checked, and
   whether compute-sanitizer works. */
#include <stdio.h>

#include <cuda_runtime.h>

static __global__ void answer(int *to) {
    *to = 42;
}

static cudaError_t use(int number) {
    int *on_gpu = nullptr, got = 0;
    cudaError_t error = cudaSetDevice(number);
    if (error == cudaSuccess)
        error = cudaMalloc((void **)&on_gpu, sizeof *on_gpu);
    if (error != cudaSuccess)
        return error;
    answer<<<1, 1>>>(on_gpu);
    error = cudaGetLastError();
    if (error == cudaSuccess)
        error = cudaMemcpy(&got, on_gpu, sizeof got, cudaMemcpyDeviceToHost);
    if (error == cudaSuccess && got != 42)
        error = cudaErrorUnknown;
    cudaFree(on_gpu);
    return error;
}

int main() {
    int n = 0;
    cudaError_t error = cudaGetDeviceCount(&n);
    for (int i = 0; i < n && error == cudaSuccess; ++i) {
        cudaDeviceProp of;
        error = cudaGetDeviceProperties(&of, i);
        if (error == cudaSuccess)
            error = use(i);
        if (error == cudaSuccess)
            printf("%s, compute capability %d.%d\n", of.name, of.major, of.minor);
        else
            fprintf(stderr, "GPU %d: ", i);
    }
    if (error == cudaSuccess && n > 0)
        return 0;
    fprintf(stderr, "%s\n",
            error != cudaSuccess ? cudaGetErrorString(error) : "CUDA counts no GPU");
    return 1;
}
