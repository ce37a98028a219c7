# Builds the plugin (build/libgdrq.so) and the command (build/darknet).
#   make [DARKNET=/path/to/a/darknet/tree] [SANITIZE=address,undefined] [WERROR=1] [DEBUG=1]
#   make GPU=1 [ARCH="-gencode ..."] [NVCC=nvcc] [CUDA=its folder] [DARKNET=...]     with CUDA, in
#                    build-gpu/, beside the CPU build; ARCH: all GPUs from Turing on, and with CUDA 10 to 12
#                    from 6.1 on
#   make GPU=1 cuda_tests    tests of kernels and layers for the GPU of this machine
#   make GPU=1 kernel_tests  those of kernels alone, to be carried to another machine; of Darknet a header is
#                    enough, that of Debian's package or of DARKNET=
#   make test | bench | bench_chart | quickstart | install PREFIX=/usr/local | format | lint | deps | clean
#   make sanitize    all tests, built with the address and undefined-behaviour sanitisers
#   make check_page  the demo's web page in headless Chromium
#   make valgrind    the unit tests under valgrind's memcheck; some minutes
#   make fuzz        FUZZ_SECONDS (60) of changed inputs per fuzz target, with the sanitisers

VERSION := $(shell sed -n 's/^#define GDRQ_VERSION "\(.*\)"/\1/p' gdrq_layers/gdrq.h)
PREFIX ?= /usr/local
CC ?= cc
CXX ?= c++
comma := ,
# One line per step; V=1 shows the commands.
quiet = $(if $(V),,@printf '  %-4s %s\n' $(1) $@;)

ifdef GPU
BUILD ?= build-gpu
NVCC ?= nvcc
ifndef CUDA
CUDA := $(shell NVCC='$(NVCC)' scripts/cuda_folder)
endif
# Turing and all later ones, which translate what is for 8.0, or, as CUDA 10 does not know that, for
# 7.5. Before CUDA 13 also Pascal, and Volta and Jetsons of 7.2, which translate what is for 6.1.
nvcc_release := $(shell $(NVCC) --version | sed -n 's/.*release \([0-9]*\).*/\1/p')
pascal := -gencode arch=compute_61,code=[sm_61,compute_61]
ifeq ($(nvcc_release),10)
ARCH ?= $(pascal) -gencode arch=compute_75,code=[sm_75,compute_75]
else
ARCH ?= $(if $(filter 11 12,$(nvcc_release)),$(pascal)) \
  -gencode arch=compute_75,code=sm_75 -gencode arch=compute_80,code=[sm_80,compute_80]
endif
ifndef DARKNET
DARKNET := $(BUILD)/darknet-source
built_darknet := $(DARKNET)/libdarknet.so
endif
# Where a distribution packages CUDA, its files are in the standard folders, which must stay last.
cuda_include := $(filter-out /usr/include /usr/local/include,$(realpath $(CUDA)/include))
cuda_lib := $(filter-out /lib% /usr/lib /usr/lib64 /usr/local/lib,$(realpath $(CUDA)/lib64))
gpu_flags := -DGPU $(cuda_include:%=-isystem %)
# Where ld.so does not know that folder, `-nogpu` must start, too.
cuda_folders := $(foreach folder,$(cuda_lib),-L$(folder) -Wl,-rpath,$(folder))
gpu_libs := $(cuda_folders) -lcublas -lcudart
gpu_rpath := -Wl,-rpath,'$$ORIGIN/../lib/darknet-gpu'
endif

# Debian's package, or a tree that the user built.
ifdef DARKNET
DARKNET_INCLUDE := $(DARKNET)/include
DARKNET_LIB := $(abspath $(DARKNET))
else
DARKNET_INCLUDE := /usr/lib/darknet/include
DARKNET_LIB := /usr/lib/darknet
endif

ifdef SANITIZE
BUILD ?= build-$(subst $(comma),-,$(SANITIZE))
sanitize := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
else
BUILD ?= build
endif
# Spelt in one way only: dependencies (.d) name objects by it, and those of another go unnoticed.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))

warnings := -Wall -Wextra $(if $(WERROR),-Werror)
optimise := $(if $(DEBUG),-O0,-O3 -fno-math-errno -fno-trapping-math) -g
# Never fast-math, and no contraction to fused multiply-adds: results must not depend on the ISA.
common := $(optimise) $(warnings) $(sanitize) -fPIC -fvisibility=hidden -ffp-contract=off \
  -fopenmp -pthread -MMD -MP -Igdrq_layers -Idarknet -isystem $(DARKNET_INCLUDE) -D_GNU_SOURCE \
  $(gpu_flags) $(CPPFLAGS)
all_cflags := -std=c11 $(common) $(CFLAGS)
all_cxxflags := -std=c++17 $(common) -isystem /usr/include/opencv4 $(CXXFLAGS)
opencv := -lopencv_imgcodecs -lopencv_imgproc -lopencv_core
darknet_libs := -L$(DARKNET_LIB) -Wl,-rpath,$(DARKNET_LIB) -ldarknet
libs := -ldnnl $(opencv) $(gpu_libs) -lz -lm -ldl
# What only the command needs; libpng, since masks are indices, which OpenCV turns into colours.
cmd_libs := -lmicrohttpd -lopencv_videoio -lopencv_highgui -lpng

lib_sources := $(sort $(wildcard gdrq_layers/*/*.c gdrq_layers/*/*.cpp))
# Kernels of one instruction set a file, which its name ends with.
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine)),)
lib_sources += $(sort $(wildcard gdrq_layers/*/x86/*.c))
endif
# CUDA kernels. CPU builds compile them for the host, where tests run them.
cuda_sources := $(sort $(wildcard gdrq_layers/*/cuda/*.cu))
ifdef GPU
lib_sources += $(cuda_sources) $(sort $(wildcard gdrq_layers/*/cuda/*.c))
endif
cmd_sources := $(sort $(wildcard darknet/*.c darknet/*.cpp darknet/*/*.c darknet/*/*.cpp darknet/*/*.S))
unit_sources := $(sort $(wildcard tests/unit/test_*.c))
host_sources := $(sort $(wildcard tests/host/*.c tests/host/*.cpp))
lib_objects := $(patsubst %,$(BUILD)/obj/%.o,$(lib_sources))
cmd_objects := $(patsubst %,$(BUILD)/obj/%.o,$(cmd_sources))
# The command holds copies of these; the library hides its own.
shared_objects := $(patsubst %,$(BUILD)/obj/gdrq_layers/base/%.c.o,alloc edit_distance hash same_file status \
  times write_all)
# The command without main(), for unit tests of its parts.
part_objects := $(filter-out $(BUILD)/obj/darknet/main.c.o,$(cmd_objects))
unit_tests := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(unit_sources))
cuda_tests := $(patsubst tests/cuda/%,$(BUILD)/tests/cuda/%,$(basename $(sort $(wildcard tests/cuda/test_*.cpp tests/cuda/test_*.cu))))
emulated_cuda := $(patsubst %,$(BUILD)/obj/emulated_cuda/%.o,$(cuda_sources) \
  $(wildcard tests/cuda/emulation/*.cpp gdrq_layers/train/*.c) \
  $(wildcard $(patsubst %,gdrq_layers/%/cuda/*.c,host infer primitives train)) \
  $(patsubst %,gdrq_layers/%.c,host/api host/arrays host/calibration host/compare host/folded_layer \
  host/folded_load host/folded_network host/free_layer host/inspect host/interpose host/network_check \
  host/network_state host/predict_pixels host/replicas host/resize host/resize_layers host/segment \
  host/scratch_buffer host/statistics host/tensor_class host/weight_spans primitives/avgpool_layer \
  primitives/connected_layer primitives/convolutional_layer primitives/convolutional_parts primitives/detection_head \
  primitives/detection_truths primitives/dropout_layer primitives/predict primitives/region_layer \
  primitives/reorg_layer primitives/segmentation_layer primitives/softmax_layer primitives/update \
  primitives/upsample_layer primitives/yolo_layer))
unit_tests += $(cuda_tests)
emulated_objects := $(patsubst %,$(BUILD)/obj/emulated/%.o,$(filter-out %/peak_avx512vnni.c,$(filter %_avx512vnni.c,$(lib_sources))))
host_programs := $(addprefix $(BUILD)/tests/,$(basename $(notdir $(host_sources))))
fuzz_programs := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

.PHONY: all deps tests bench_programs test unit_test cli_test check_page fuzz_replay fuzz run_fuzz sanitize \
  valgrind bench bench_chart quickstart install uninstall format lint clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/libgdrq.so $(BUILD)/darknet

ifdef GPU
# What runs where there is no GPU: the CPU build, which stays as it is.
all: cpu_build
.PHONY: cpu_build
cpu_build:
	$(MAKE) -f $(firstword $(MAKEFILE_LIST)) GPU= BUILD=build ARCH= DARKNET= all
	ln -sfn ../build/darknet $(BUILD)/darknet-cpu
endif

# Rebuild everything when the flags change.
flags := $(CC) $(CXX) $(all_cflags) $(all_cxxflags) $(DARKNET_LIB) $(ARCH)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(flags)' | cmp -s - $@ || printf '%s\n' '$(flags)' > $@

ifdef built_darknet
# Its darknet.h comes first.
$(BUILD)/flags: | $(built_darknet)
darknet_flags := $(ARCH) $(NVCC) $(CUDA)
$(BUILD)/darknet-flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(darknet_flags)' | cmp -s - $@ || printf '%s\n' '$(darknet_flags)' > $@
$(built_darknet): $(BUILD)/darknet-flags
	ARCH='$(ARCH)' NVCC='$(NVCC)' CUDA='$(CUDA)' scripts/build_darknet_gpu $(DARKNET)
	touch $@
endif

$(BUILD)/obj/%.c.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(all_cflags) -c $< -o $@

# -fmad=false: a quantiser must not depend on what was fused. C++14 is what nvcc 10.2 has.
nvcc_flags := -std=c++14 -O3 -fmad=false $(ARCH) $(if $(WERROR),-Werror all-warnings) -Igdrq_layers -DGPU \
  -Xcompiler -fPIC,-fvisibility=hidden,-Wall,-Wextra,-ffp-contract=off
# Kernels know nothing of Darknet, and need not wait until it is built.
cuda_flags := $(NVCC) $(nvcc_flags) $(CC) $(CXX) $(all_cflags) $(all_cxxflags)
$(BUILD)/cuda-flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(cuda_flags)' | cmp -s - $@ || printf '%s\n' '$(cuda_flags)' > $@
$(BUILD)/obj/%.cu.o: %.cu $(BUILD)/cuda-flags
	@mkdir -p $(@D)
	$(call quiet,NVCC)$(NVCC) $(nvcc_flags) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(BUILD)/obj/%.cpp.o: %.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CXX)$(CXX) $(all_cxxflags) -c $< -o $@

# The demo's web page lies in the command.
$(BUILD)/obj/%.S.o: %.S $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,AS)$(CC) -I. -c $< -o $@
$(BUILD)/obj/darknet/demo/page.S.o: $(wildcard darknet/demo/page.html darknet/demo/page.css darknet/demo/page.js)

# gcc 12 spills accumulators of kernels where it coalesces variables.
kernel_cflags := $(if $(findstring clang,$(CC)),,-fno-tree-coalesce-vars)
$(BUILD)/obj/%_avx2.c.o: all_cflags += -mavx2 $(kernel_cflags)
$(BUILD)/obj/%_avx512vnni.c.o: all_cflags += -mavx512f -mavx512bw -mavx512vl -mavx512vnni $(kernel_cflags)

$(BUILD)/libgdrq.so: $(lib_objects)
	$(call quiet,LINK)$(CXX) $(sanitize) -shared -fopenmp -pthread -Wl,-soname,libgdrq.so -Wl,-z,defs \
	  $(LDFLAGS) $^ $(if $(GPU),-Wl$(comma)-rpath$(comma)'$$ORIGIN') $(darknet_libs) $(libs) -o $@

# libgdrq before libdarknet: its functions then replace the host's.
$(BUILD)/darknet: $(cmd_objects) $(shared_objects) $(BUILD)/libgdrq.so
	$(call quiet,LINK)$(CXX) $(sanitize) -fopenmp -pthread $(LDFLAGS) $(cmd_objects) $(shared_objects) \
	  -L$(BUILD) -Wl,-rpath,'$$ORIGIN' $(gpu_rpath) -Wl,-rpath,'$$ORIGIN/../lib' -Wl,--no-as-needed -lgdrq \
	  $(darknet_libs) $(cmd_libs) $(libs) -o $@

$(BUILD)/libgdrq_test.a: $(lib_objects) $(part_objects)
	$(call quiet,AR)rm -f $@ && ar rcs $@ $^

# Unit tests hold the library's objects themselves, to reach what it hides.
$(BUILD)/tests/test_%: $(BUILD)/obj/tests/unit/test_%.c.o $(BUILD)/libgdrq_test.a
	@mkdir -p $(@D)
	$(call quiet,LINK)$(CXX) $(sanitize) -fopenmp -pthread $(LDFLAGS) $(filter %.o,$^) \
	  -Wl,--whole-archive $(BUILD)/libgdrq_test.a -Wl,--no-whole-archive -rdynamic \
	  $(darknet_libs) $(cmd_libs) $(libs) -lcmocka -o $@

# Serves the demo's page with made-up frames.
$(BUILD)/tests/serve_frames: $(BUILD)/obj/tests/web/serve_frames.cpp.o $(BUILD)/libgdrq_test.a
	@mkdir -p $(@D)
	$(call quiet,LINK)$(CXX) $(sanitize) -fopenmp -pthread $(LDFLAGS) $^ $(darknet_libs) $(cmd_libs) $(libs) -o $@

# The kernels of AVX-512 once more, on vectors in plain C: so machines without it test them, too.
# -O1: what counts is that they compile in time; emulated vectors are slow in any case.
$(BUILD)/obj/emulated/%.c.o: all_cflags += -O1 -isystem tests/emulated -Wno-psabi \
  -Dgdrq_conv_avx512vnni_direct=gdrq_conv_emulated_direct \
  -Dgdrq_conv_avx512vnni_winograd=gdrq_conv_emulated_winograd \
  -Dgdrq_multiply_avx512vnni=gdrq_multiply_emulated
$(BUILD)/obj/emulated/%.c.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(filter-out -mavx512%,$(all_cflags)) -c $< -o $@
$(BUILD)/tests/test_conv_kernels: $(emulated_objects)

# In the place of CUDA's headers are those of tests/cuda/emulation. With them come copies, for a
# GPU's struct layer, of what takes layers: they stand before those of the library.
emulated_flags := -DGPU -Itests/cuda -Itests/unit -isystem tests/cuda/emulation
emulated_cxxflags = -std=c++17 $(common) $(emulated_flags) $(CXXFLAGS)
$(BUILD)/obj/emulated_cuda/%.c.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(all_cflags) $(emulated_flags) -c $< -o $@
$(BUILD)/obj/emulated_cuda/%.o: % $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CXX)$(CXX) $(emulated_cxxflags) -x c++ -c $< -o $@

cuda_link_inputs := $(emulated_cuda) $(BUILD)/libgdrq_test.a
$(BUILD)/tests/cuda/test_%: $(BUILD)/obj/emulated_cuda/tests/cuda/test_%.cpp.o $(cuda_link_inputs)
	$(link_cuda_test)
$(BUILD)/tests/cuda/test_%: $(BUILD)/obj/emulated_cuda/tests/cuda/test_%.cu.o $(cuda_link_inputs)
	$(link_cuda_test)
define link_cuda_test
@mkdir -p $(@D)
$(call quiet,LINK)$(CXX) $(sanitize) -fopenmp -pthread $(LDFLAGS) $(filter %.o,$^) \
	  $(BUILD)/libgdrq_test.a $(darknet_libs) $(libs) -lcmocka -o $@
endef

# The same tests, where they don't look into the emulation, for a GPU that is there: `make GPU=1 cuda_tests`
# builds them, scripts/gpu_check.sh runs them.
ifdef GPU
kernel_sources := test_gpu_plan.cpp test_infer_conv.cu test_infer_moves.cu test_layer_kernels.cu test_quant_kernels.cu
device_sources := $(filter-out $(kernel_sources),$(notdir \
  $(shell grep -L 'emulation::' $(wildcard tests/cuda/test_*.cpp tests/cuda/test_*.cu))))
device_tests := $(addprefix $(BUILD)/tests/device/,$(basename $(device_sources)))
kernel_tests := $(addprefix $(BUILD)/tests/kernels/,$(basename $(kernel_sources)) list_gpus)
.PHONY: cuda_tests kernel_tests
# Those that there are no longer would run with the others.
remove_others = @rm -f $(filter-out $(1),$(wildcard $(dir $(firstword $(1)))test_*))
cuda_tests: kernel_tests $(device_tests)
	$(call remove_others,$(device_tests))
kernel_tests: $(kernel_tests)
	$(call remove_others,$(kernel_tests))

test_includes := -Itests/cuda -Itests/unit
$(BUILD)/obj/tests/cuda/%.o: all_cxxflags += $(test_includes)
$(BUILD)/tests/device/test_%: $(BUILD)/obj/tests/cuda/test_%.cpp.o $(lib_objects)
	$(link_device_test)
define link_device_test
@mkdir -p $(@D)
$(call quiet,LINK)$(CXX) -fopenmp -pthread $(LDFLAGS) $^ -rdynamic $(darknet_libs) $(libs) -lcmocka -o $@
endef

# Tests of kernels alone need no libdarknet: what they compare with has objects of its own, for which
# any darknet.h will do. Their folder can be carried to a machine that has only a GPU and its driver:
# the other libraries that may be missing there are in it.
kernel_objects := $(patsubst %,$(BUILD)/obj/kernels/%.o,gdrq_layers/train/learn_threshold.c \
  gdrq_layers/primitives/update.c \
  $(filter $(foreach part,base infer quant,gdrq_layers/$(part)/%.c),$(lib_sources)))
any_darknet := -isystem $(if $(built_darknet),/usr/lib/darknet/include,$(DARKNET_INCLUDE))
$(BUILD)/obj/kernels/%.c.o: %.c $(BUILD)/cuda-flags
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(subst -isystem $(DARKNET_INCLUDE),$(any_darknet),$(all_cflags)) -c $< -o $@
$(BUILD)/obj/kernels/%.cpp.o: %.cpp $(BUILD)/cuda-flags
	@mkdir -p $(@D)
	$(call quiet,CXX)$(CXX) $(test_includes) $(subst -isystem $(DARKNET_INCLUDE),,$(all_cxxflags)) -c $< -o $@
$(BUILD)/obj/kernels/%.cu.o: %.cu $(BUILD)/cuda-flags
	@mkdir -p $(@D)
	$(call quiet,NVCC)$(NVCC) $(nvcc_flags) $(test_includes) $(any_darknet) -Xcompiler -fopenmp \
	  -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(BUILD)/libkernels.a: $(kernel_objects) $(patsubst %,$(BUILD)/obj/%.o,$(cuda_sources))
	$(call quiet,AR)rm -f $@ && ar rcs $@ $^
carried_libs := $(BUILD)/tests/kernels/libcmocka.so.0 $(BUILD)/tests/kernels/libgomp.so.1
$(carried_libs):
	@mkdir -p $(@D)
	$(call quiet,COPY)cp -L "$$($(CXX) -print-file-name=$(@F))" $@
$(BUILD)/tests/kernels/%: $(BUILD)/obj/kernels/tests/cuda/%.cpp.o $(BUILD)/libkernels.a $(carried_libs)
	$(link_kernel_test)
$(BUILD)/tests/kernels/%: $(BUILD)/obj/kernels/tests/cuda/%.cu.o $(BUILD)/libkernels.a $(carried_libs)
	$(link_kernel_test)
define link_kernel_test
@mkdir -p $(@D)
$(call quiet,LINK)$(CXX) -fopenmp -pthread $(LDFLAGS) $(filter %.o %.a,$^) -static-libgcc -static-libstdc++ \
	  -Wl,-rpath,'$$ORIGIN' -lcmocka $(cuda_folders) -lcudart_static -lm -ldl -lrt -o $@
endef
endif

$(BUILD)/tests/test_frame $(BUILD)/tests/test_segmenter_task: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc \
  aligned_alloc free pthread_mutex_lock)
# Keys are pressed by a script in place of a window.
$(BUILD)/tests/test_demo_keys: LDFLAGS += $(addprefix -Wl$(comma)--wrap=window_,is_possible open \
  show poll close)
$(BUILD)/tests/test_http_server: LDFLAGS += -Wl,--wrap=calloc
$(BUILD)/tests/test_out_of_memory: LDFLAGS += -Wl,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc

# Fuzz targets likewise.
$(BUILD)/fuzz/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.c.o $(BUILD)/obj/tests/fuzz/main.c.o $(BUILD)/libgdrq_test.a
	@mkdir -p $(@D)
	$(call quiet,LINK)$(CXX) $(sanitize) -fopenmp -pthread $(LDFLAGS) $(filter %.o,$^) \
	  -Wl,--whole-archive $(BUILD)/libgdrq_test.a -Wl,--no-whole-archive -rdynamic \
	  $(darknet_libs) $(cmd_libs) $(libs) -o $@

# Host programs know nothing of gdrq: they link the stock library only.
$(BUILD)/tests/%: tests/host/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) -std=c11 -O1 -g -D_GNU_SOURCE -DOPENCV -isystem $(DARKNET_INCLUDE) $< $(darknet_libs) -lm -ldl -o $@

$(BUILD)/tests/%: tests/host/%.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CXX)$(CXX) -std=c++17 -O1 -g -isystem /usr/include/opencv4 $< -lopencv_dnn -lopencv_core -o $@

tests: all $(unit_tests) $(host_programs) $(fuzz_programs) $(BUILD)/tests/serve_frames

deps:
	scripts/install_deps

test: deps
	$(if $(GPU),@echo 'make test: without GPU=1: the CPU build also tests the CUDA kernels' >&2; exit 1)
	$(MAKE) -j$(shell nproc) tests
	$(MAKE) unit_test
	$(MAKE) fuzz_replay
	$(MAKE) cli_test

unit_test: tests
	BUILD=$(BUILD) tests/run_unit $(unit_tests)

cli_test: tests
	BUILD=$(abspath $(BUILD)) SANITIZE=$(SANITIZE) bats tests/host tests/cli

# Each target once with every file in the folder of its name.
fuzz_replay: tests
	@for name in $(notdir $(fuzz_programs)); do \
	  echo "$$name:" && $(BUILD)/fuzz/$$name tests/fuzz/seeds/$${name#fuzz_} || exit 1; \
	done

# The demo's page in headless Chromium, and pictures of it in $(BUILD)/page. The tests do the same
# where that browser is installed.
check_page:
	scripts/install_deps --web
	$(MAKE) -j$(shell nproc) $(BUILD)/tests/serve_frames
	tests/web/check_page --shots $(BUILD)/page $(BUILD)/tests/serve_frames

fuzz: deps
	$(MAKE) SANITIZE=address,undefined run_fuzz

# An input that ends a target is left beside it.
FUZZ_SECONDS ?= 60
run_fuzz: $(fuzz_programs)
	cd $(BUILD)/fuzz && for name in $(notdir $(fuzz_programs)); do \
	  ./$$name -seconds $(FUZZ_SECONDS) $(CURDIR)/tests/fuzz/seeds/$${name#fuzz_} || exit 1; \
	done

# `make test SANITIZE=...` takes other sanitisers. Leaks are searched for in the unit tests only:
# elsewhere what libdarknet leaks would be reported.
sanitize:
	$(MAKE) SANITIZE=address,undefined test

# valgrind shows programs a processor without AVX-512, so that our kernels run as their copies for
# AVX2. oneDNN is held to AVX, since its matrix product for AVX2 reads, without harm, beyond the end
# of what it packed. One thread: valgrind lets only one run at a time. TEST_QUICK=1 lets the tests
# that would take longest try fewer random cases.
memcheck := valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
  --errors-for-leak-kinds=definite --num-callers=30 --suppressions=tests/valgrind.supp
valgrind:
	scripts/install_deps --dev
	$(MAKE) -j$(shell nproc) tests
	OMP_NUM_THREADS=1 GOMP_SPINCOUNT=0 ONEDNN_MAX_CPU_ISA=AVX TEST_QUICK=1 BUILD=$(BUILD) \
	  RUN_UNDER="$(memcheck)" tests/run_unit $(unit_tests)

# Like the host programs, they are not linked with gdrq. --json FILE and --only PARTS go into BENCH_ARGS.
bench_programs := $(addprefix $(BUILD)/bench/,worker opencv_worker onednn_worker compare)

$(BUILD)/bench/%: tests/bench/%.c $(wildcard tests/bench/*.h) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) -std=c11 -O2 -g $(warnings) -D_GNU_SOURCE -DOPENCV -Igdrq_layers \
	  -isystem $(DARKNET_INCLUDE) $< $(darknet_libs) -lm -ldl -o $@

$(BUILD)/bench/%: tests/bench/%.cpp $(wildcard tests/bench/*.h) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CXX)$(CXX) -std=c++17 -O2 -g $(warnings) -isystem /usr/include/opencv4 $< \
	  $(bench_libs) -o $@

$(BUILD)/bench/opencv_worker: bench_libs := -lopencv_dnn -lopencv_core
$(BUILD)/bench/onednn_worker: bench_libs := -ldnnl

bench_programs: all $(bench_programs)

bench: deps
	$(MAKE) -j$(shell nproc) bench_programs
	BUILD=$(BUILD) tests/bench/run $(BENCH_ARGS)

# The picture in README.md. Ratios that miss what is required of them don't keep it from being drawn.
# Needs python3-matplotlib, python3-venv and a network, for engines from PyPI; GDRQ_MODELS, a folder
# with yolo-fastest-1.1-xl.cfg and .weights, adds that one.
bench_chart: deps
	rm -f $(BUILD)/bench/results/*.json
	$(MAKE) -j$(shell nproc) bench_programs
	-BUILD=$(BUILD) tests/bench/run --only int8-tiny,int8-vgg,int8-yolov3,int8-resnet,int8-depthwise
	BUILD=$(BUILD) scripts/compare_engines
	scripts/plot_speed $(BUILD)/bench/results docs/speed.png

quickstart: deps
	$(MAKE) -j$(shell nproc) all
	BUILD=$(BUILD) scripts/quickstart quickstart

share := $(DESTDIR)$(PREFIX)/share
installed_cfgs := $(sort $(wildcard cfg/*.cfg cfg/*.data cfg/*.labels cfg/*.names cfg/*.palette))

# Beside what a CPU build installs, whose command is then darknet-cpu: bin/darknet looks here first.
gpu_lib := $(DESTDIR)$(PREFIX)/lib/darknet-gpu
install_gpu = install -m 755 build/darknet $(DESTDIR)$(PREFIX)/bin/darknet-cpu && install -d $(gpu_lib) && \
  install -m 644 $(BUILD)/libgdrq.so $(DARKNET_LIB)/libdarknet.so $(gpu_lib)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include \
	  $(share)/man/man1 $(share)/bash-completion/completions $(share)/darknet-gdrq/cfg
	install -m 755 $(BUILD)/darknet $(DESTDIR)$(PREFIX)/bin/darknet
	install -m 644 $(if $(GPU),build,$(BUILD))/libgdrq.so $(DESTDIR)$(PREFIX)/lib/libgdrq.so
	$(if $(GPU),$(install_gpu))
	install -m 644 gdrq_layers/gdrq.h $(DESTDIR)$(PREFIX)/include/gdrq.h
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@DARKNET_LIB@|$(if $(GPU),/usr/lib/darknet,$(DARKNET_LIB))|' \
	  scripts/gdrq.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/gdrq.pc
	chmod 644 $(DESTDIR)$(PREFIX)/lib/pkgconfig/gdrq.pc
	install -m 644 man/darknet.1 $(share)/man/man1/darknet.1
	install -m 644 scripts/darknet.bash-completion $(share)/bash-completion/completions/darknet
	install -m 644 $(installed_cfgs) $(share)/darknet-gdrq/cfg
	[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig

uninstall:
	rm -rf $(gpu_lib)
	rm -f $(DESTDIR)$(PREFIX)/bin/darknet $(DESTDIR)$(PREFIX)/bin/darknet-cpu $(DESTDIR)$(PREFIX)/lib/libgdrq.so \
	  $(DESTDIR)$(PREFIX)/include/gdrq.h $(DESTDIR)$(PREFIX)/lib/pkgconfig/gdrq.pc \
	  $(share)/man/man1/darknet.1 $(share)/bash-completion/completions/darknet \
	  $(addprefix $(share)/darknet-gdrq/,$(installed_cfgs))
	! [ -d $(share)/darknet-gdrq ] || \
	  find $(share)/darknet-gdrq -depth -type d -empty -delete

own_sources := $(shell git ls-files -co --exclude-standard '*.c' '*.h' '*.cpp' '*.cu' '*.cuh' 2>/dev/null)
format:
	@scripts/install_deps --dev
	@clang-format -i $(own_sources)

lint:
	@scripts/install_deps --dev
	@clang-format --dry-run --Werror $(own_sources)
	@cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
	  --enable=warning,performance,portability --suppress=missingIncludeSystem \
	  --suppress=normalCheckLevelMaxBranches --suppress=unknownMacro -Igdrq_layers -Idarknet \
	  gdrq_layers darknet

clean:
	rm -rf build build-*

-include $(patsubst %.o,%.d,$(lib_objects) $(cmd_objects) $(emulated_objects) $(emulated_cuda)) \
  $(wildcard $(BUILD)/obj/emulated_cuda/tests/cuda/*.d $(BUILD)/obj/tests/cuda/*.d \
  $(BUILD)/obj/kernels/tests/cuda/*.d) $(patsubst %.o,%.d,$(kernel_objects)) \
  $(patsubst tests/unit/%.c,$(BUILD)/obj/tests/unit/%.c.d,$(unit_sources)) \
  $(patsubst $(BUILD)/fuzz/%,$(BUILD)/obj/tests/fuzz/%.c.d,$(fuzz_programs)) $(BUILD)/obj/tests/fuzz/main.c.d \
  $(BUILD)/obj/tests/web/serve_frames.cpp.d
