#include "fibers.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(begin, end) 0
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emulation {

order running_order = order::SHUFFLED;

namespace {

constexpr size_t STACK_BYTES = 128 << 10;

enum class state { READY, AT_BARRIER, AT_EXCHANGE, RETURNED };

struct fiber {
    ucontext_t context; /* where it starts */
    jmp_buf where;      /* it waits, if it has started */
    bool has_started;
    void *stack = nullptr;
    uint3 index;
    state is;
    const char *place; /* file, or the operation of a warp */
    int line;
    unsigned mask;
    uint64_t value;
};

struct warp {
    uint64_t values[WARP]; /* of its last exchange */
};

/* One launch at a time. */
std::vector<fiber> fibers;
std::vector<warp> warps;
unsigned threads, running;
const std::function<void()> *kernel;
std::string failure;
alignas(16) unsigned char shared[MOST_SHARED];
std::mt19937 shuffler;

/* A guard page below each stack. */
void make_stack(fiber *f) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = (char *)mmap(nullptr, page + STACK_BYTES, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) != 0)
        throw std::bad_alloc();
    f->stack = memory + page;
    (void)VALGRIND_STACK_REGISTER(f->stack, memory + page + STACK_BYTES);
}

#ifdef __SANITIZE_ADDRESS__
ucontext_t scheduler;
const void *scheduler_stack;
size_t scheduler_stack_bytes;

void enter(fiber *f) {
    void *fake;
    __sanitizer_start_switch_fiber(&fake, f->stack, STACK_BYTES);
    swapcontext(&scheduler, &f->context);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}

void arrived() {
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_bytes);
}

void leave(fiber *f, bool for_ever) {
    void *fake;
    __sanitizer_start_switch_fiber(for_ever ? nullptr : &fake, scheduler_stack,
                                   scheduler_stack_bytes);
    swapcontext(&f->context, &scheduler);
    __sanitizer_finish_switch_fiber(fake, &scheduler_stack, &scheduler_stack_bytes);
}
#else
/* Unlike swapcontext(), these make no system calls. */
jmp_buf back_to_scheduler;

void enter(fiber *f) {
    if (_setjmp(back_to_scheduler) != 0)
        return;
    if (f->has_started)
        _longjmp(f->where, 1);
    f->has_started = true;
    setcontext(&f->context);
}

void arrived() {
}

void leave(fiber *f, bool) {
    if (_setjmp(f->where) == 0)
        _longjmp(back_to_scheduler, 1);
}
#endif

void start_fiber() {
    arrived();
    (*kernel)();
    fibers[running].is = state::RETURNED;
    leave(&fibers[running], true);
}

void prepare(fiber *f, unsigned i) {
    if (!f->stack)
        make_stack(f);
    f->index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
    f->is = state::READY;
    f->has_started = false;
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_BYTES;
    f->context.uc_link = nullptr;
    makecontext(&f->context, start_fiber, 0);
}

std::vector<unsigned> ordered(unsigned n) {
    std::vector<unsigned> indices(n);
    for (unsigned i = 0; i < n; ++i)
        indices[i] = running_order == order::DESCENDING ? n - 1 - i : i;
    if (running_order == order::SHUFFLED)
        std::shuffle(indices.begin(), indices.end(), shuffler);
    return indices;
}

bool waits_together(const fiber &f, const fiber &other) {
    return other.is == state::AT_EXCHANGE && other.mask == f.mask &&
           strcmp(other.place, f.place) == 0;
}

/* Lets the lanes of an exchange go if all of them are there. */
bool release_lanes(unsigned i) {
    const fiber &f = fibers[i];
    const unsigned first = i / WARP * WARP, mask = f.mask;
    for (unsigned k = 0; k < WARP; ++k)
        if (mask >> k & 1 && !(first + k < threads && waits_together(f, fibers[first + k])))
            return false;
    for (unsigned k = 0; k < WARP; ++k)
        if (mask >> k & 1) {
            fibers[first + k].is = state::READY;
            warps[i / WARP].values[k] = fibers[first + k].value;
        }
    return true;
}

/* One thread up to its next wait. */
void run_thread(unsigned i) {
    running = i;
    threadIdx = fibers[i].index;
    enter(&fibers[i]);
    if (!failure.empty())
        throw undefined_behaviour(failure);
}

bool release_warp(unsigned first) {
    bool any = false;
    for (unsigned i = first; i < first + WARP && i < threads; ++i)
        if (fibers[i].is == state::AT_EXCHANGE)
            any |= release_lanes(i);
    return any;
}

/* As far as the warp comes without the others: one that runs ahead meets what they have left. */
void run_warp(unsigned first) {
    do
        for (unsigned lane : ordered(WARP))
            if (first + lane < threads && fibers[first + lane].is == state::READY)
                run_thread(first + lane);
    while (release_warp(first));
}

std::string describe(const fiber &f) {
    const std::string thread = "thread (" + std::to_string(f.index.x) + "," +
                               std::to_string(f.index.y) + "," + std::to_string(f.index.z) + ")";
    if (f.is == state::RETURNED)
        return thread + " has returned";
    if (f.is == state::AT_BARRIER)
        return thread + " waits for its block at " + f.place + ":" + std::to_string(f.line);
    char mask[16];
    snprintf(mask, sizeof mask, "%08x", f.mask);
    return thread + " waits for the lanes " + mask + " in " + f.place;
}

/* Nobody can run: all wait at one barrier, have returned, or will wait for ever. */
bool release_block() {
    const fiber &f = fibers[0];
    for (unsigned i = 0; i < threads; ++i) {
        const fiber &other = fibers[i];
        if (f.is == other.is && f.is != state::AT_EXCHANGE &&
            (f.is == state::RETURNED || (f.line == other.line && !strcmp(f.place, other.place))))
            continue;
        throw undefined_behaviour(describe(f) + ", but " + describe(other));
    }
    if (f.is == state::RETURNED)
        return false;
    for (unsigned i = 0; i < threads; ++i)
        fibers[i].is = state::READY;
    return true;
}

void run_block() {
    memset(shared, 0xcd, sizeof shared);
    for (unsigned i = 0; i < threads; ++i)
        prepare(&fibers[i], i);
    do
        for (unsigned w : ordered((unsigned)warps.size()))
            run_warp(w * WARP);
    while (release_block());
}

} // namespace

void run(dim3 grid, dim3 block, size_t, const std::function<void()> &function) {
    gridDim = grid;
    blockDim = block;
    kernel = &function;
    failure.clear();
    threads = block.x * block.y * block.z;
    if (fibers.size() < threads)
        fibers.resize(threads);
    warps.resize((threads + WARP - 1) / WARP);
    for (unsigned i : ordered(grid.x * grid.y * grid.z)) {
        blockIdx = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
        run_block();
    }
}

void *dynamic_shared() {
    return shared;
}

void wait_for_block(const char *file, int line) {
    fiber *f = &fibers[running];
    f->is = state::AT_BARRIER;
    f->place = file;
    f->line = line;
    leave(f, false);
}

const uint64_t *exchange(unsigned mask, uint64_t value, const char *operation) {
    if (!(mask >> lane() & 1))
        misuse("%s: lane %u is not in its own mask %08x", operation, lane(), mask);
    fiber *f = &fibers[running];
    f->is = state::AT_EXCHANGE;
    f->place = operation;
    f->mask = mask;
    f->value = value;
    leave(f, false);
    return warps[running / WARP].values;
}

void misuse(const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    failure = text;
    leave(&fibers[running], true);
    abort();
}

} // namespace emulation
