# What the training loop keeps: state, best weights, mean of weights, log and chart.

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    compose
}

setup() {
    load common
    work_on_a_copy
}

train() { darknet detector train signs.data "$@" 2> train.err; }

# A dropout layer, whose random numbers must go on too.
write_resumable() {
    write_cfg "$1" "${@:2}"
    sed -i '0,/^\[maxpool\]/s//[dropout]\nprobability=.2\n[maxpool]/' "$1"
}

@test "a training that stopped on the way ends with the very same weights" {
    for optimiser in 0 1; do
        write_resumable whole.cfg max_batches=9
        sed -i "s/^batch=8/adam=$optimiser\nema=0.9\nbatch=8/" whole.cfg
        sed 's/^max_batches=.*/max_batches=5/' whole.cfg > part.cfg
        train whole.cfg -seed 7 > whole.log
        train part.cfg -seed 7 > part.log
        mv set/backup/part_last.weights whole_part.weights
        mv set/backup/part_last.state whole_part.state
        train whole.cfg whole_part.weights > rest.log
        grep -q "Resuming with the state in whole_part.state" rest.log
        grep -q "^6: " rest.log
        [ "$(grep -c '^[0-9]*: ' rest.log)" -eq 4 ]
        cp set/backup/whole_final.weights resumed.weights
        train whole.cfg -seed 7 > again.log
        cmp set/backup/whole_final.weights resumed.weights
        # The average loss, too, goes on.
        average() { sed -n 's/^9: [0-9.]*, \([0-9.]*\) avg.*/\1/p' "$1"; }
        [ "$(average rest.log)" = "$(average whole.log)" ]
    done
}

@test "the state matters, and training says when it is missing, another's or damaged" {
    write_cfg part.cfg max_batches=5
    write_cfg whole.cfg max_batches=9
    train part.cfg -seed 7 > /dev/null
    train whole.cfg set/backup/part_last.weights > /dev/null
    mv set/backup/whole_final.weights with_state.weights
    mv set/backup/part_last.state kept.state
    run darknet detector train signs.data whole.cfg set/backup/part_last.weights -seed 7
    says "without all of the state in set/backup/part_last.state: it is missing"
    fails cmp -s set/backup/whole_final.weights with_state.weights
    cp set/backup/whole_last.state set/backup/part_last.state
    run darknet detector train signs.data whole.cfg set/backup/part_last.weights -seed 7
    [ "$status" -eq 0 ]
    says "it belongs to other weights"
    for damage in "s/./x/200" "200q"; do
        LC_ALL=C sed "$damage" kept.state | head -c -10 > set/backup/part_last.state
        run darknet detector train signs.data whole.cfg set/backup/part_last.weights
        [ "$status" -eq 1 ]
        says "part_last.state: the training's state is damaged; remove the file"
    done
    : > set/backup/part_last.state
    run darknet detector train signs.data whole.cfg set/backup/part_last.weights
    [ "$status" -eq 1 ]
    says "damaged"
}

@test "with -map the best weights are kept, and -early_stop ends a training in vain" {
    write_cfg small.cfg max_batches=9000 learning_rate=0
    train small.cfg -seed 1 -map -early_stop 2 > log
    grep "mAP@0.50" log
    best=$(sed -n 's/^Stopped early: 2 measurements without a better mAP@0.50 than .* at \([0-9]*\)$/\1/p' log)
    measured=$(grep -c '^mAP@0.50 = ' log)
    [ "$((100 * measured))" -eq "$((best + 200))" ]
    [ "$(sed -n 's/^mAP@0.50 = .*the best is .* at \([0-9]*\)$/\1/p' log | tail -n 1)" -eq "$best" ]
    [ -s set/backup/small_best.weights ]
    [ -s set/backup/small_final.weights ]
    [ "$(grep -c '^[0-9]*: ' log)" -eq "$((100 * measured))" ]
    run darknet detector train signs.data small.cfg -early_stop 2
    one_line_error 2 "detector train: -early_stop is for measurements: give -map as well"
}

@test "a training without its state replaces no better weights" {
    write_cfg small.cfg max_batches=100
    train small.cfg -seed 1 -map > /dev/null
    rm set/backup/small_last.state
    cp -r set/backup kept
    # The log says that they were the best that there can be.
    sed -i 's/^\(100,.*,\)[^,]*$/\11/' set/backup/small.csv
    sed -i 's/^max_batches=.*/max_batches=200/' small.cfg
    train small.cfg set/backup/small_last.weights -seed 1 -map > log
    grep "^The best mAP@0.50 so far is 1.0000 at 100, by set/backup/small.csv$" log
    cmp set/backup/small_best.weights kept/small_best.weights
    # Without a log nobody knows how good they were.
    cp kept/small_last.weights kept/small_best.weights set/backup/
    rm set/backup/small.csv set/backup/small_last.state
    train small.cfg set/backup/small_last.weights -seed 1 -map > log
    grep "^Kept what was set/backup/small_best.weights as set/backup/small_best.weights.old$" log
    cmp set/backup/small_best.weights.old kept/small_best.weights
}

@test "a measurement that a stop cut short is made up for" {
    for _ in $(seq 60); do cat set/valid.txt; done > long.txt
    sed 's/^valid *=.*/valid = long.txt/' signs.data > long.data
    write_cfg small.cfg max_batches=102
    darknet detector train long.data small.cfg -seed 1 -map > whole.log 2> err
    mv set/backup whole
    "$BUILD/darknet" detector train long.data small.cfg -seed 1 -map > log 2> err &
    pid=$!
    for _ in $(seq 500); do
        if grep -q '^100: ' log; then break; fi
        sleep 0.02
    done
    kill -INT $pid
    wait $pid || true
    tail -n 3 log
    grep -q '^100,.*,$' set/backup/small.csv
    fails grep -q '^101: ' log
    darknet detector train long.data small.cfg set/backup/small_last.weights -map > log 2> err
    metrics() { cut -d, -f1,8 "$1"; }
    diff <(metrics whole/small.csv) <(metrics set/backup/small.csv)
    cmp whole/small_best.weights set/backup/small_best.weights
    cmp whole/small_final.weights set/backup/small_final.weights
    # A final file that could not be written is what the same command writes next.
    rm set/backup/small_final.weights
    darknet detector train long.data small.cfg set/backup/small_last.weights -map > log 2> err
    cmp whole/small_final.weights set/backup/small_final.weights
    run darknet detector train long.data small.cfg set/backup/small_last.weights -map
    [ "$status" -eq 1 ]
    says "nothing to train"
}

@test "what -map measures is what map says of the weights that are kept" {
    write_cfg small.cfg max_batches=200
    sed -i "s/^batch=8/ema=0.95\nbatch=8/" small.cfg
    train small.cfg -seed 1 -map > log
    cat log | grep mAP
    run darknet detector map signs.data small.cfg set/backup/small_final.weights
    measured=$(sed -n 's/^mAP@0.50 = \([0-9.]*\),.*/\1/p' log | tail -n 1)
    says "mAP@0.50 = $measured"
    # The mean is another network than the last weights.
    fails cmp -s set/backup/small_final.weights set/backup/small_last.weights
}

@test "the log has a line per iteration, a resumed run appends, the chart is drawn" {
    write_cfg part.cfg max_batches=5
    train part.cfg -seed 7 > /dev/null
    [ "$(head -n 1 set/backup/part.csv)" = "iteration,epoch,stage,loss,average_loss,learning_rate,seconds" ]
    [ "$(wc -l < set/backup/part.csv)" -eq 6 ]
    write_cfg part.cfg max_batches=9
    train part.cfg set/backup/part_last.weights > /dev/null
    [ "$(cut -d, -f1 set/backup/part.csv | tr '\n' ' ')" = "iteration 1 2 3 4 5 6 7 8 9 " ]
    [ "$(head -c 4 set/backup/part.png | tail -c 3)" = PNG ]
    train part.cfg -seed 7 -chart curves.png > /dev/null
    [ "$(head -c 4 curves.png | tail -c 3)" = PNG ]
    [ "$(wc -l < set/backup/part.csv.old)" -eq 10 ]
}

@test "milestones are kept as often as asked" {
    write_cfg small.cfg max_batches=6
    # A CPU build trains one network, whatever -gpus says.
    train small.cfg -seed 1 -save_weights 2 -gpus 0,1 > log
    [ "$(grep -c '^[0-9]*: ' log)" -eq 6 ]
    [ -s set/backup/small_2.weights ]
    [ -s set/backup/small_4.weights ]
    cmp set/backup/small_6.weights set/backup/small_final.weights
}

@test "killed ten times, every weights file is whole and the training goes on" {
    "$top/tests/kill_training" "$BUILD/darknet" 10 signs.data
}
