# What tests/bench/run says of rows that are measured, missed or omitted; the measuring is made up.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    mkdir bench
}

# bench ARGUMENTS: tests/bench/run, where the stock library takes 4 s per pass and we take 2 s and 5 s
# in its two rows, and the data set of a third row is missing.
bench() {
    BUILD=$PWD PYTHONPATH=$top/tests/bench python3 -B - "$top/tests/bench/run" "$@" << 'END'
import importlib.machinery, importlib.util, sys
loader = importlib.machinery.SourceFileLoader("bench", sys.argv[1])
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)


def measure(seconds):
    return lambda names: [bench.faster(names[0], [[seconds, seconds]], [[4, 4]], 1.5)]


bench.PARTS = {"good": bench.Part(measure(2), ["good row"]),
               "bad": bench.Part(measure(5), ["bad row"]),
               "absent": bench.Part(measure(1), ["absent row"], lambda: "no data set")}
del sys.argv[0]
bench.main()
END
}

@test "make bench fails, and its last line names the row that misses its bar" {
    run bench --json rows.json
    echo "$output"
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = "bench: not reached: bad row" ]
    grep -q "^good row  *ms  *2000 .*2.00 (2.00..2.00)  *>= 1.5  *yes$" <<< "$output"
    grep -q "^bad row  *ms .*0.80 (0.80..0.80)  *>= 1.5  *NO$" <<< "$output"
    grep -q "^absent row  *omitted: no data set$" <<< "$output"
    python3 -c '
import json
good, bad, absent = json.load(open("rows.json"))
assert good["reached"] and not bad["reached"]
assert absent == {"what": "absent row", "omitted": "no data set"}'
}

@test "rows that --only leaves out are omitted, not missed" {
    run bench --only good
    echo "$output"
    [ "$status" -eq 0 ]
    says "good row"
    grep -q "^bad row  *omitted: not among --only$" <<< "$output"
    grep -q "^absent row  *omitted: not among --only$" <<< "$output"
    run bench --only goood
    [ "$status" -eq 2 ]
    says "--only goood: there are good, bad, absent"
}

@test "a row that this processor can't reach keeps its bar; one without a bar is for information" {
    python3 -B - "$top/tests/bench" > table << 'END'
import sys
sys.path.insert(0, sys.argv[1])
import results
print(results.format_table([results.omitted("fast row", results.NO_VNNI, 1.5),
                            results.faster("other row", [[1]], [[2]], None)]))
END
    cat table
    grep -q "^fast row  *omitted: the processor has no AVX512-VNNI (required: >= 1.5)$" table
    grep -q "^other row  *ms  *1000 .*2.00 (2.00..2.00)  *-  *-$" table
}

@test "make bench knows the shapes of convolutions that the command knows" {
    for network in yolov3-tiny resnet18 vgg-conv; do
        darknet gdrq bench /usr/share/darknet/cfg/$network.cfg -runs 1 -json $network.json > /dev/null 2>&1
        python3 -B - "$top/tests/bench" $network << 'END'
import json, math, pathlib, sys
sys.path.insert(0, sys.argv[1])
from layers import read_layers
cfg = pathlib.Path("/usr/share/darknet/cfg") / f"{sys.argv[2]}.cfg"
net, layers = read_layers(cfg)
timed = json.load(open(f"{sys.argv[2]}.json"))["layers"]
assert len(timed) == len(layers)
for layer, row in zip(layers, timed):
    if layer.kind == "convolutional":
        products = layer.number("size", 1) ** 2 * layer.input[0] * math.prod(layer.output)
        assert math.isclose(1e-9 * products, row["gmacs"], rel_tol=1e-6), (layer, row)
END
    done
}
