# darknet detector calc_anchors.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

# Two pictures of 200x100 pixels; the boxes of each are the arguments "w h" in pixels.
two_pictures() {
    mkdir -p images labels
    /usr/bin/python3 -c "from PIL import Image
for name in 'ab': Image.new('RGB', (200, 100)).save(f'images/{name}.png')"
    : > labels/a.txt
    : > labels/b.txt
    local to=a size
    for size in "$@"; do
        awk -v s="$size" 'BEGIN { split(s, p); print 0, .5, .5, p[1] / 200, p[2] / 100 }' \
            >> labels/$to.txt
        if [ $to = a ]; then to=b; else to=a; fi
    done
    printf 'images/a.png\nimages/b.png\n' > train.txt
    printf 'classes = 1\ntrain = train.txt\n' > two.data
}

@test "anchors are in the network's pixels, sorted by area, in the cfg's form" {
    # The pictures fit into 400x400 at twice their size.
    two_pictures "100 50" "5 10" "30 20" "100 50" "5 10" "30 20"
    run bash -c '"$BUILD/darknet" detector calc_anchors two.data -num_of_clusters 3 -width 400 \
        -height 400 2> err'
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "6 boxes in 2 images, 3 anchors for an input of 400 x 400" ]
    [ "${lines[1]}" = "avg IoU = 100.00 %" ]
    [ "${lines[2]}" = "anchors = 10,20,  60,40,  200,100" ]
    [ "$(cat anchors.txt)" = "10,20,  60,40,  200,100" ]
    [ ! -e anchors.png ]
}

@test "a region layer's anchors are in cells" {
    two_pictures "100 50" "5 10"
    run darknet detector calc_anchors two.data -num_of_clusters 2 -width 13 -height 13
    [ "$status" -eq 0 ]
    [ "$(cat anchors.txt)" = "0.3250,0.6500,  6.5000,3.2500" ]
}

@test "a cfg takes the anchors, and -show draws them" {
    compose
    run darknet detector calc_anchors signs.data -num_of_clusters 2 -width 96 -height 96 -show
    [ "$status" -eq 0 ]
    [ "$(head -c 4 anchors.png | tail -c 3)" = PNG ]
    write_cfg small.cfg max_batches=1
    sed -i "s/^anchors=.*/anchors=$(cat anchors.txt)/" small.cfg
    darknet detector train signs.data small.cfg -seed 1 > train.log 2>&1
    # The same again, whatever the number of threads.
    cp anchors.txt before.txt
    OMP_NUM_THREADS=1 darknet detector calc_anchors signs.data -num_of_clusters 2 -width 96 \
        -height 96
    cmp anchors.txt before.txt
}

@test "calc_anchors names what is wrong" {
    two_pictures "100 50" "5 10"
    run darknet detector calc_anchors two.data
    one_line_error 1 "train.txt: 2 boxes are too few for 9 anchors"
    run darknet detector calc_anchors missing.data
    one_line_error 1 "missing.data"
    run darknet detector calc_anchors two.data -num_of_clusters 0
    one_line_error 2 "-num_of_clusters"
    run darknet detector calc_anchors two.data -clusters 3
    one_line_error 2 "unknown flag -clusters"
    echo "7 .5 .5 .1 .1" >> labels/b.txt
    run darknet detector calc_anchors two.data
    one_line_error 1 "labels/b.txt:2: class '7'"
    sed -i '$d' labels/b.txt
    echo "no picture" > images/b.png
    run darknet detector calc_anchors two.data -num_of_clusters 2
    [ "$status" -eq 1 ]
    says "darknet: images/b.png: not an image that can be decoded"
    : > train.txt
    run darknet detector calc_anchors two.data
    one_line_error 1 "train.txt"
    [ ! -e anchors.txt ]
}
