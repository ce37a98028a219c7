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
