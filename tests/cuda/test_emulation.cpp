/* The emulated device itself: what kernels may rely on holds, and what they may not do is found. */
#include "device_array.h"

#include "base/cuda/graph.h"
#include "base/cuda/launch.cuh"
#include "infer/cuda/mma.cuh"

using emulation::order;

static const order ORDERS[] = {order::ASCENDING, order::DESCENDING, order::SHUFFLED};

/* Runs `kernel` in each order; it must end well. */
template <class Kernel> static void run_in_all_orders(dim3 grid, dim3 block, Kernel kernel) {
    for (order o : ORDERS) {
        emulation::running_order = o;
        assert_int_equal(emulation::launch(grid, block, 0, kernel), cudaSuccess);
    }
    emulation::running_order = order::SHUFFLED;
}

/* `kernel` must be found to be wrong in each order, with a message that has `part` in it. */
template <class Kernel> static void check_fails(unsigned threads, const char *part, Kernel kernel) {
    for (order o : ORDERS) {
        emulation::running_order = o;
        bool found = false;
        try {
            emulation::launch(1, threads, 0, kernel);
        } catch (const emulation::undefined_behaviour &error) {
            found = true;
            if (!strstr(error.what(), part))
                fail_msg("'%s' instead of '... %s ...'", error.what(), part);
        }
        assert_true(found);
    }
    emulation::running_order = order::SHUFFLED;
}

static void every_thread_of_every_block_runs_once(void **) {
    std::vector<int> runs(3 * 4 * 2 * 5 * 6);
    run_in_all_orders(dim3(3, 4), dim3(5, 6, 2), [&] {
        const int block = blockIdx.x + gridDim.x * blockIdx.y;
        ++runs[block * 60 + threadIdx.x + 5 * (threadIdx.y + 6 * threadIdx.z)];
    });
    for (int n : runs)
        assert_int_equal(n, 3);
}

/* Each thread reads what its neighbour wrote before the barrier. */
static void barriers_order_shared_memory(void **) {
    std::vector<int> sums(4);
    run_in_all_orders(4, 100, [&] {
        __shared__ int values[100];
        int *dynamic = (int *)emulation::dynamic_shared();
        int x = (int)(threadIdx.x + blockIdx.x);
        for (int round = 0; round < 3; ++round) {
            values[threadIdx.x] = x;
            __syncthreads();
            x = values[(threadIdx.x + 1) % 100];
            dynamic[threadIdx.x] = x;
            __syncthreads();
            x = dynamic[(threadIdx.x + 1) % 100];
            __syncthreads();
        }
        if (threadIdx.x == 0)
            sums[blockIdx.x] = x;
    });
    for (int b = 0; b < 4; ++b)
        assert_int_equal(sums[b], 6 + b);
}

/* Which a race between threads shows by results that depend on the order. */
static void races_depend_on_the_order(void **) {
    int last[3];
    for (int i = 0; i < 3; ++i) {
        emulation::running_order = ORDERS[i];
        emulation::launch(1, 64, 0, [&] { last[i] = (int)threadIdx.x; });
    }
    emulation::running_order = order::SHUFFLED;
    assert_int_equal(last[0], 63);
    assert_int_equal(last[1], 0);
}

static void lanes_shuffle(void **) {
    int wrong = 0;
    run_in_all_orders(2, 96, [&] {
        const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
        const int id = 100 * warp + lane;
        wrong += __shfl_sync(~0u, id, 7) != 100 * warp + 7;
        wrong += __shfl_sync(~0u, id, 3, 8) != 100 * warp + lane / 8 * 8 + 3;
        wrong += __shfl_xor_sync(~0u, id, 5) != 100 * warp + (lane ^ 5);
        wrong += __shfl_down_sync(~0u, id, 4) != (lane < 28 ? id + 4 : id);
        wrong += __shfl_up_sync(~0u, id, 4) != (lane >= 4 ? id - 4 : id);
        wrong += __shfl_down_sync(~0u, id, 2, 4) != (lane % 4 < 2 ? id + 2 : id);
        wrong += __shfl_xor_sync(~0u, id + .25, 1) != 100 * warp + (lane ^ 1) + .25;
    });
    assert_int_equal(wrong, 0);
}

static void lanes_vote_and_reduce(void **) {
    int wrong = 0;
    run_in_all_orders(1, 64, [&] {
        const int lane = (int)threadIdx.x % 32;
        wrong += __ballot_sync(~0u, lane % 3 == 0) != 0x49249249u;
        wrong += __any_sync(~0u, lane == 31) != 1 || __any_sync(~0u, lane > 31) != 0;
        wrong += __all_sync(~0u, lane < 32) != 1 || __all_sync(~0u, lane < 31) != 0;
        wrong += __reduce_add_sync(~0u, lane) != 496;
        wrong += __reduce_min_sync(~0u, lane - 3) != -3 || __reduce_max_sync(~0u, lane) != 31;
        /* Two halves on ways of their own. */
        if (lane < 16)
            wrong += __reduce_add_sync(0xffffu, lane) != 120;
        else
            wrong += __reduce_add_sync(0xffff0000u, 1) != 16;
        __syncwarp();
    });
    assert_int_equal(wrong, 0);
}

static void atomics_add_up(void **) {
    int sum = 0, most = 0, least = 0;
    float floats = 0;
    run_in_all_orders(8, 33, [&] {
        atomicAdd(&sum, (int)threadIdx.x);
        atomicAdd(&floats, .5f);
        atomicMax(&most, (int)(blockIdx.x * threadIdx.x));
        atomicMin(&least, -(int)blockIdx.x);
    });
    assert_int_equal(sum, 3 * 8 * 528);
    assert_true(floats == 3 * 8 * 33 * .5f);
    assert_int_equal(most, 7 * 32);
    assert_int_equal(least, -7);
}

static void bytes_multiply(void **) {
    /* (-1, 2, -128, 127) and (3, -4, -128, 127), lowest first */
    const int a = 0x7f8002ff, b = 0x7f80fc03;
    assert_int_equal(__dp4a(a, b, 5), 5 - 3 - 8 + 128 * 128 + 127 * 127);
    assert_int_equal(__dp4a(0xff02u, 0x0203u, 1u), 1 + 6 + 510);
}

/* A tile against the sums over all its products, with elements placed as PTX documents it. */
static void tensor_cores_multiply(void **) {
    uint8_t a[16][32];
    int8_t b[32][8];
    int c[16][8], d[16][8];
    for (int k = 0; k < 32; ++k) {
        for (int row = 0; row < 16; ++row)
            a[row][k] = (uint8_t)(row * 37 + k * 11 + row * k);
        for (int column = 0; column < 8; ++column)
            b[k][column] = (int8_t)(column * 53 - k * 29 + column * k);
    }
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column)
            c[row][column] = 1000 * row - column;
    run_in_all_orders(1, 32, [&] {
        const int group = (int)threadIdx.x / 4, member = (int)threadIdx.x % 4;
        unsigned of_a[4] = {}, of_b[2] = {};
        int sums[4];
        for (int i = 0; i < 4; ++i)
            for (int k = 0; k < 4; ++k)
                of_a[i] |= (unsigned)a[group + 8 * (i % 2)][4 * member + 16 * (i / 2) + k] << 8 * k;
        for (int i = 0; i < 2; ++i)
            for (int k = 0; k < 4; ++k)
                of_b[i] |= (unsigned)(uint8_t)b[4 * member + 16 * i + k][group] << 8 * k;
        for (int i = 0; i < 4; ++i)
            sums[i] = c[group + 8 * (i / 2)][2 * member + i % 2];
        gdrq_mma_u8s8(sums, of_a, of_b);
        for (int i = 0; i < 4; ++i)
            d[group + 8 * (i / 2)][2 * member + i % 2] = sums[i];
    });
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column) {
            int sum = c[row][column];
            for (int k = 0; k < 32; ++k)
                sum += a[row][k] * b[k][column];
            assert_int_equal(d[row][column], sum);
        }
}

static void returning_before_a_barrier_is_found(void **) {
    check_fails(40, "has returned", [] {
        if (threadIdx.x == 17)
            return;
        __syncthreads();
    });
}

static void barriers_at_two_places_are_found(void **) {
    check_fails(40, "waits for its block at", [] {
        if (threadIdx.x < 20)
            __syncthreads();
        else
            __syncthreads();
    });
}

static void lanes_that_do_not_come_are_found(void **) {
    check_fails(32, "waits for the lanes ffffffff in __shfl_sync", [] {
        if (threadIdx.x != 5)
            __shfl_sync(~0u, 1, 0);
    });
    /* Not a whole warp. */
    check_fails(16, "waits for the lanes ffffffff", [] { __syncwarp(); });
    check_fails(32, "waits for the lanes", [] {
        if (threadIdx.x < 16)
            __shfl_xor_sync(~0u, 1, 1);
        else
            __shfl_sync(~0u, 1, 1);
    });
}

static void lanes_outside_of_the_mask_are_found(void **) {
    check_fails(32, "reads lane 20", [] {
        if (threadIdx.x < 16)
            __shfl_sync(0xffffu, 1, 20);
    });
    check_fails(32, "not in its own mask", [] { __syncwarp(0xffff); });
}

static void take(int) {
}

static void impossible_launches_are_refused(void **) {
    gdrq_error err;
    assert_int_equal(GDRQ_LAUNCH(&err, 1, 1025, 0, take, 0), GDRQ_ERROR_DEVICE);
    assert_non_null(strstr(err.message, "invalid configuration"));
    assert_non_null(strstr(err.message, "test_emulation.cpp:"));
    assert_int_equal(GDRQ_LAUNCH(&err, 0, 32, 0, take, 0), GDRQ_ERROR_DEVICE);
    assert_int_equal(GDRQ_LAUNCH(&err, dim3(1, 70000), 32, 0, take, 0), GDRQ_ERROR_DEVICE);
    assert_int_equal(GDRQ_LAUNCH(&err, 1, 32, 1 << 20, take, 0), GDRQ_ERROR_DEVICE);
    assert_int_equal(GDRQ_LAUNCH(&err, 1, 32, 0, take, 0), GDRQ_OK);
}

static void memory_runs_out(void **) {
    void *first, *second;
    emulation::memory_limit = emulation::memory_in_use + 1000;
    assert_int_equal(cudaMalloc(&first, 600), cudaSuccess);
    assert_int_equal(cudaMalloc(&second, 600), cudaErrorMemoryAllocation);
    assert_int_equal(cudaFree(first), cudaSuccess);
    assert_int_equal(cudaMalloc(&second, 600), cudaSuccess);
    assert_int_equal(cudaFree(second), cudaSuccess);
    assert_int_equal(cudaFree(&first), cudaErrorInvalidValue);
    emulation::memory_limit = SIZE_MAX;
    cudaGetLastError();
}

/* ---- graphs ---- */

static gdrq_error err;

static void add(int *to, int n) {
    atomicAdd(to, n);
}

/* What is queued gets its arguments now. */
static gdrq_status queue_additions(void *user, gdrq_error *error) {
    int *const sum = (int *)user, three = 3;
    int n = 1;
    gdrq_status status = GDRQ_LAUNCH(error, 2, 1, 0, add, sum, n);
    n = 1000;
    if (status == GDRQ_OK)
        status = gdrq_device_clear(sum + 1, sizeof *sum, error);
    if (status == GDRQ_OK)
        status = gdrq_device_copy(sum + 2, sum, sizeof *sum, error);
    return status == GDRQ_OK ? GDRQ_LAUNCH(error, 1, 1, 0, add, sum, three) : status;
}

static void graphs_run_when_they_are_replayed(void **) {
    int sums[3] = {0, 7, 7};
    gdrq_device_graph *graph;
    const unsigned long handles = emulation::handles;
    assert_int_equal(gdrq_device_record(queue_additions, sums, &graph, &err), GDRQ_OK);
    assert_int_equal(emulation::handles, handles + 1);
    assert_true(sums[0] == 0 && sums[1] == 7 && sums[2] == 7);
    for (int i = 1; i <= 3; ++i) {
        assert_int_equal(gdrq_device_replay(graph, &err), GDRQ_OK);
        assert_true(sums[0] == 5 * i && sums[1] == 0 && sums[2] == 5 * i - 3);
    }
    /* Behind the recording, launches run at once again. */
    assert_int_equal(queue_additions(sums, &err), GDRQ_OK);
    assert_int_equal(sums[0], 20);
    gdrq_device_graph_free(graph);
    assert_int_equal(emulation::handles, handles);
}

static gdrq_status allocate(void *user, gdrq_error *error) {
    queue_additions(user, error);
    return gdrq_device_alloc((void **)user, 1, 1, "a test", error);
}

/* Its error does not come back from the call that failed. */
static gdrq_status wait_in_secret(void *user, gdrq_error *error) {
    gdrq_device_wait(nullptr);
    return queue_additions(user, error);
}

static gdrq_status refuse(void *, gdrq_error *) {
    return GDRQ_ERROR_ARGUMENT;
}

static void what_can_t_be_recorded_is_found(void **) {
    int sums[3] = {0, 0, 0};
    gdrq_device_graph *graph;
    const unsigned long handles = emulation::handles;
    const struct {
        gdrq_queue *queue;
        gdrq_status status;
    } cases[] = {{allocate, GDRQ_ERROR_DEVICE},
                 {wait_in_secret, GDRQ_ERROR_DEVICE},
                 {refuse, GDRQ_ERROR_ARGUMENT}};
    for (const auto &c : cases) {
        assert_int_equal(gdrq_device_record(c.queue, sums, &graph, &err), c.status);
        assert_null(graph);
        assert_int_equal(emulation::handles, handles);
        assert_int_equal(cudaGetLastError(), cudaSuccess);
    }
    assert_int_equal(sums[0], 0);
}

/* Of another kind, what the default stream does meanwhile would be lost or worse. */
static void blocking_streams_forbid_the_default_one(void **) {
    cudaStream_t stream;
    cudaGraph_t graph;
    int ran = 0;
    cudaStreamCreateWithFlags(&stream, cudaStreamDefault);
    assert_int_equal(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeThreadLocal),
                     cudaErrorStreamCaptureUnsupported);
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    assert_int_equal(emulation::launch(1, 1, 0, [&] { ++ran; }), cudaErrorStreamCaptureImplicit);
    assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    assert_int_equal(ran, 0);
    assert_null(graph);
    cudaStreamDestroy(stream);
    cudaGetLastError();
}

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_thread_of_every_block_runs_once),
        cmocka_unit_test(barriers_order_shared_memory),
        cmocka_unit_test(races_depend_on_the_order),
        cmocka_unit_test(lanes_shuffle),
        cmocka_unit_test(lanes_vote_and_reduce),
        cmocka_unit_test(atomics_add_up),
        cmocka_unit_test(bytes_multiply),
        cmocka_unit_test(tensor_cores_multiply),
        cmocka_unit_test(returning_before_a_barrier_is_found),
        cmocka_unit_test(barriers_at_two_places_are_found),
        cmocka_unit_test(lanes_that_do_not_come_are_found),
        cmocka_unit_test(lanes_outside_of_the_mask_are_found),
        cmocka_unit_test(impossible_launches_are_refused),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(graphs_run_when_they_are_replayed),
        cmocka_unit_test(what_can_t_be_recorded_is_found),
        cmocka_unit_test(blocking_streams_forbid_the_default_one),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
