# What to do next is told as a line that a shell takes as it is.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    compose
    mkdir "with blank"
    sed "s/^backup.*/backup = with blank/" signs.data > "it's.data"
    write_cfg small.cfg
}

# suggested PURPOSE FILE: runs what the line "To PURPOSE: ..." says, with real files for placeholders.
suggested() {
    local line
    line=$(sed -n "s/^To $1: //p" "$2")
    echo "$line"
    [ -n "$line" ]
    line=${line//STOCK.weights/\'with blank/stock_final.weights\'}
    eval "${line/ DATA / \"it\'s.data\" }"
}

@test "after training comes measuring, or detecting where there is nothing to measure on" {
    darknet detector train "it's.data" small.cfg -seed 1 > log 2> err
    suggested measure log > map.log
    grep -q "^mAP@0.50 = " map.log
    grep -v '^valid' "it's.data" > less.data
    darknet detector train less.data small.cfg -seed 1 > log 2> err
    grep -qF "detector test less.data small.cfg 'with blank/small_final.weights' IMAGE" log
}

@test "a stopped training tells how to go on, with the flags that matter" {
    write_cfg small.cfg max_batches=20000
    "$BUILD/darknet" detector train "it's.data" small.cfg -seed 1 -clear -map -mAP_epochs 500.5 \
        -early_stop 7 -save_weights 50000 -chart 'with blank/a chart.png' > log 2> err &
    pid=$!
    for _ in $(seq 200); do
        if grep -q '^3: ' log; then break; fi
        sleep 0.1
    done
    kill -INT $pid
    code=0
    wait $pid || code=$?
    [ "$code" -eq 130 ]
    line=$(tail -n 1 log)
    echo "$line"
    flags="-map -mAP_epochs=500.5 -early_stop=7 -save_weights=50000 -chart 'with blank/a chart.png'"
    [[ "$line" == "To go on: "*"_last.weights' $flags" ]] || false
    reached=$(sed -n 's/^\([0-9]*\): .* to 20000$/\1/p' log | tail -n 1)
    write_cfg small.cfg max_batches=$((reached + 2))
    suggested "go on" log > more.log 2> err
    grep -q "^Resuming with the state in with blank/small_last.state" more.log
    grep -q "^$((reached + 1)): " more.log
}

@test "what diverged is nothing to go on from" {
    write_cfg small.cfg learning_rate=1e30 burn_in=0 max_batches=200
    run darknet detector train "it's.data" small.cfg -seed 1
    [ "$status" -eq 1 ]
    says "learning_rate"
    [ "$(grep -c '^To ' <<< "$output")" -eq 0 ]
}

@test "after convert comes training, after calibrate measuring" {
    sed 's/gdrq_convolutional/convolutional/; /_bits=/d' small.cfg > stock.cfg
    darknet detector train "it's.data" stock.cfg -seed 1 > log 2> err
    darknet gdrq convert stock.cfg "four bits.cfg" > log
    suggested train log > train.log 2> err
    grep -q "^12: .* images, quantise, " train.log
    darknet gdrq calibrate "four bits.cfg" "with blank/stock_final.weights" set/valid/images \
        "with blank/four.weights" > log 2> err
    suggested measure log > map.log 2> err
    grep -q "^mAP@0.50 = " map.log
    printf '%s\n' "[net]" width=8 height=8 channels=3 "[convolutional]" filters=2 "[avgpool]" "[softmax]" > c.cfg
    darknet gdrq convert c.cfg d.cfg > log
    grep -q "classifier train DATA d.cfg STOCK.weights -clear" log
}
