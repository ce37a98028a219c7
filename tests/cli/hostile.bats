# Data, files and flags that are wrong: one line that names them, and nothing that existed is lost.

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    compose
    write_cfg small.cfg
    darknet detector train signs.data small.cfg -seed 1 > train.log 2> train.err
    cp set/backup/small_final.weights trained.weights
    bad_pictures
    # Pictures in folders that are named after their class, for classifiers.
    for kind in one two; do
        mkdir -p kinds/$kind
        cp set/train/images/0000[0-3].jpg kinds/$kind
    done
    ls kinds/*/* > kinds.list
    printf '%s\n' one two > kinds.labels
    printf '%s\n' "train = kinds.list" "valid = kinds.list" "labels = kinds.labels" \
        "backup = kept" > kinds.data
    printf '%s\n' "[net]" batch=4 width=32 height=32 channels=3 min_crop=32 max_crop=40 aspect=.9 \
        learning_rate=.001 max_batches=2 "[convolutional]" filters=64 size=3 stride=2 \
        activation=leaky "[convolutional]" filters=2 size=1 "[avgpool]" "[softmax]" > kinds.cfg
    darknet classifier train kinds.data kinds.cfg -seed 1 > train.log 2> train.err
    cp kept/kinds_final.weights kinds.weights
}

# Each test works on a copy; what the two trainings left must come out of it as it is.
setup() {
    load common
    work_on_a_copy
    md5sum set/backup/*.weights set/backup/*.state kept/*.weights kept/*.state ./*.weights > kept.md5
}

# Headers that promise 100000 x 100000 pixels, and 30000 x 30000, with nothing behind them; a photo
# that ends early; an empty file, no file and a folder.
bad_pictures() {
    /usr/bin/python3 - << 'END'
import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for name, side in ("huge", 100000), ("large", 30000):
    with open(name + ".png", "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
                  + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
END
    head -c 3000 $photo > cut.jpg
    : > zero.jpg
    mkdir folder
}

# refuses STATUS TEXT COMMAND...: fails with one line of ours, the last one, that has the text.
refuses() {
    run timeout 60 "$BUILD/darknet" "${@:3}"
    echo "$* -> $status: $output"
    [ "$status" -eq "$1" ] || return 1
    [[ "${lines[-1]}" == "darknet: "*"$2"* ]] || return 1
    [ "$(grep -c '^darknet: ' <<< "$output")" -eq 1 ] || return 1
    md5sum --quiet -c kept.md5
}

# data_with KEY VALUE: bad.data is signs.data with another value, or without the key.
data_with() {
    grep -v "^$1" signs.data > bad.data
    [ -z "$2" ] || echo "$1 = $2" >> bad.data
}

# limited KIB COMMAND...: no file that it writes can become larger, as on a disk that gets full.
limited() {
    ulimit -f "$1"
    timeout 120 "$BUILD/darknet" "${@:2}"
}

@test "pictures that are huge, cut short or none are named" {
    for picture in huge.png large.png cut.jpg zero.jpg missing.jpg; do
        refuses 1 "$picture: " detector test signs.data small.cfg trained.weights $picture
        refuses 1 "$picture: " classifier predict kinds.data kinds.cfg kinds.weights $picture
    done
    refuses 1 "huge.png: claims more pixels than can be decoded" \
        detector test signs.data small.cfg trained.weights huge.png
    refuses 1 "folder: the folder has no picture" detector test signs.data small.cfg trained.weights folder
    refuses 1 "folder: not a regular file" classifier predict kinds.data kinds.cfg kinds.weights folder
    refuses 1 "huge.png: " gdrq calibrate small.cfg trained.weights huge.png new.weights
    [ ! -e new.weights ]
    [ ! -e predictions.jpg ]
}

@test "pictures of lists, too, by whatever verb reads them" {
    for picture in huge.png cut.jpg; do
        for image in set/*/images/*.jpg kinds/*/*.jpg; do cp $picture "$image"; done
        refuses 1 "set/train/images/" detector train signs.data small.cfg
        for verb in map valid recall; do
            refuses 1 "set/valid/images/00000.jpg: " detector $verb signs.data small.cfg trained.weights
        done
        refuses 1 "set/train/images/" detector calc_anchors signs.data
        refuses 1 "kinds/" classifier train kinds.data kinds.cfg
        refuses 1 "kinds/one/00000.jpg: " classifier valid kinds.data kinds.cfg kinds.weights
    done
    # A folder where an image should be is found before the work.
    rm set/train/images/00003.jpg
    mkdir set/train/images/00003.jpg
    refuses 1 "set/train/images/00003.jpg: is no file, so no image" detector train signs.data small.cfg
}

@test "lists that are empty or no lists are named" {
    : > empty.txt
    for list in "empty.txt: the list has no image" "folder: is a folder" "huge.png:2: control character" \
        "missing.txt: can't open"; do
        data_with train "${list%%:*}"
        refuses 1 "$list" detector train bad.data small.cfg
        refuses 1 "$list" detector calc_anchors bad.data
        data_with valid "${list%%:*}"
        refuses 1 "$list" detector train bad.data small.cfg -map
        for verb in map valid valid2 recall; do
            refuses 1 "$list" detector $verb bad.data small.cfg trained.weights
        done
        sed "s/^valid.*/valid = ${list%%:*}/" kinds.data > bad.data
        refuses 1 "$list" classifier train bad.data kinds.cfg -topk
        refuses 1 "$list" classifier valid bad.data kinds.cfg kinds.weights
    done
    data_with valid ""
    refuses 1 "bad.data: the key 'valid' is missing" detector train bad.data small.cfg -map
    sed '/^valid/d' kinds.data > bad.data
    refuses 1 "bad.data: the key 'valid' is missing" classifier train bad.data kinds.cfg -topk
}

@test "labels that are malformed or out of range are named with their line" {
    label=set/train/labels/00003.txt
    cp $label good.txt
    while IFS='|' read -r line message; do
        { cat good.txt; echo "$line"; } > $label
        refuses 1 "$label:$(($(wc -l < good.txt) + 1)): $message" detector train signs.data small.cfg
    done << 'END'
1 .5 .5 .1|4 words; expected five
1 .5 .5 .1 .1 .1|'.1' behind the fifth number
-1 .5 .5 .1 .1|class '-1'
4 .5 .5 .1 .1|class '4'
1.5 .5 .5 .1 .1|class '1.5'
stop .5 .5 .1 .1|class 'stop'
1 nan .5 .1 .1|x 'nan' is not a finite number
1 .5 1.2 .1 .1|y = 1.2 is not allowed
1 .5 .5 0 .1|w = 0 is not allowed
1 320 240 50 60|x = 320 is not allowed
99999999999999999999 .5 .5 .1 .1|class '99999999999999999999'
END
    printf '1 .5 .5 .1 .1\0' > $label
    refuses 1 "$label:1: control character" detector train signs.data small.cfg
    rm $label
    refuses 1 "its label file $label is missing" detector calc_anchors signs.data
    mkdir $label
    refuses 1 "$label: is a folder" detector train signs.data small.cfg
    echo "4 .5 .5 .1 .1" >> set/valid/labels/00003.txt
    for verb in map recall; do
        refuses 1 "set/valid/labels/00003.txt:" detector $verb signs.data small.cfg trained.weights
    done
    rmdir $label
    cp good.txt $label
    refuses 1 "set/valid/labels/00003.txt:" detector train signs.data small.cfg -map
}

@test "names that are too few, blank or no text are named" {
    head -n 2 set/signs.names > short.names
    data_with names short.names
    refuses 1 "short.names: 2 names for 4 classes" detector train bad.data small.cfg
    for verb in test map valid recall; do
        refuses 1 "short.names: 2 names" detector $verb bad.data small.cfg trained.weights \
            $([ $verb = test ] && echo $photo)
    done
    printf 'a\n\nc\nd\n' > short.names
    refuses 1 "short.names:2: blank line" detector train bad.data small.cfg
    data_with names huge.png
    refuses 1 "huge.png:2: control character" detector train bad.data small.cfg
    data_with classes four
    refuses 1 "classes = four: not a whole number" detector train bad.data small.cfg
    refuses 1 "classes = four: not a whole number" detector calc_anchors bad.data
}

@test "files of the wrong kind are named" {
    refuses 1 "folder: is a folder, not a text file" detector train folder small.cfg
    refuses 1 "small.cfg:1: expected 'key = value'" detector train small.cfg signs.data
    refuses 1 "folder: " detector train signs.data folder
    for verb in "detector train signs.data small.cfg" "classifier train kinds.data kinds.cfg"; do
        refuses 1 "folder: not a weights file" $verb folder
        refuses 1 "missing.weights: can't open" $verb missing.weights
        refuses 1 "cut.jpg: " $verb cut.jpg
    done
}

@test "a backup folder that can't be used is told before training" {
    while IFS='|' read -r folder message; do
        data_with backup "$folder"
        refuses 1 "$message" detector train bad.data small.cfg
        sed "s|^backup.*|backup = $folder|" kinds.data > bad.data
        refuses 1 "$message" classifier train bad.data kinds.cfg
    done << 'END'
kinds.cfg|kinds.cfg: can't write into the backup folder: Not a directory
kinds.cfg/deeper|kinds.cfg/deeper: can't make the backup folder: Not a directory
/proc/none|/proc/none: can't make the backup folder
END
    data_with backup ""
    refuses 1 "bad.data: the key 'backup' is missing" detector train bad.data small.cfg
    # A folder that has the name of a file would cost the training at its end.
    for name in _last.weights _last.state _best.weights _final.weights .csv .png; do
        mkdir -p "taken/small$name"
        data_with backup taken
        refuses 1 "taken/small$name: is a folder" detector train bad.data small.cfg
        [ "$(ls -A taken)" = "small$name" ]
        rm -r taken
    done
    # A missing one is made.
    data_with backup "new/and deep"
    darknet detector train bad.data small.cfg -seed 1 > log 2> err
    cmp "new/and deep/small_final.weights" trained.weights
}

@test "flags that make no sense together are refused before anything is read" {
    for command in "detector map" "classifier topk"; do
        train="${command% *} train" measure=${command#* }
        refuses 2 "$train: -early_stop is for measurements: give -$measure as well" \
            $train missing.data missing.cfg -early_stop 3
        refuses 2 "$train: -mAP_epochs is for measurements: give -$measure as well" \
            $train missing.data missing.cfg -mAP_epochs 3
        refuses 2 "$train: -chart: the name 'curves.gif' must end in .jpg or .png" \
            $train missing.data missing.cfg -chart curves.gif
    done
    refuses 1 "none/curves.png: can't be written" detector train signs.data small.cfg -chart none/curves.png
}

@test "a disk that is full costs no file that was there" {
    cp set/backup/small.csv before.csv
    # The save after 100 iterations is forgiven, the one at the end is not.
    sed -i 's/^max_batches=.*/max_batches=101/' small.cfg kinds.cfg
    for command in "detector train signs.data small.cfg" "classifier train kinds.data kinds.cfg"; do
        run limited 1 $command -seed 2
        [ "$status" -eq 1 ]
        says "101: "
        [ "$(grep -c '^darknet: .*_last.weights: not saved: .*File too large' <<< "$output")" -eq 2 ]
        [[ "${lines[-1]}" == "darknet: "* ]] || false
        md5sum --quiet -c kept.md5
    done
    # The log of the training before is set aside.
    cmp set/backup/small.csv.old before.csv
    [ -z "$(find . -name '*.tmp-*' -o -name '.probe-*')" ]
}

@test "where the disk gets full, training goes on, says so once, and saves what fits" {
    write_cfg small.cfg max_batches=210
    # 8 KiB are enough for weights and state, but neither for the log nor for the chart.
    run limited 8 detector train signs.data small.cfg -seed 2
    [ "$status" -eq 0 ]
    [ "$(grep -c "^darknet: set/backup/small.csv: can't write" <<< "$output")" -eq 1 ]
    [ "$(grep -c "^darknet: set/backup/small.png: can't write" <<< "$output")" -eq 1 ]
    says "Saved set/backup/small_final.weights"
    # The log has whole lines, and the chart is the one that was there.
    [ -z "$(awk -F, 'NF != 7' set/backup/small.csv)" ]
    [ "$(head -c 4 set/backup/small.png | tail -c 3)" = PNG ]
    # With room again, training goes on from there.
    write_cfg small.cfg max_batches=212
    run darknet detector train signs.data small.cfg set/backup/small_last.weights
    [ "$status" -eq 0 ]
    says "212: "
}

@test "results that can't be written are told, before the work where it is long" {
    for out in none/map.json folder; do
        refuses 1 "$out" detector map signs.data small.cfg trained.weights -json $out
        [[ "$output" != *"mAP@"* ]] || false
        refuses 1 "$out" gdrq calibrate small.cfg trained.weights $photo $out
    done
    refuses 1 "/dev/full: can't write: No space left" \
        detector map signs.data small.cfg trained.weights -json /dev/full
    echo before > predictions.jpg
    run limited 1 detector test signs.data small.cfg trained.weights $photo
    [ "$status" -eq 1 ]
    says "darknet: predictions.jpg: can't write the image: File too large"
    [ "$(cat predictions.jpg)" = before ]
    cp trained.weights other.weights
    run limited 1 gdrq calibrate small.cfg trained.weights $photo other.weights
    [ "$status" -eq 1 ]
    cmp trained.weights other.weights
    says "darknet: other.weights: not saved: can't write the weights: File too large"
    md5sum --quiet -c kept.md5
}
