/* A Darknet program that knows nothing of gdrq: trains CFG for N batches on LIST, saves, detects.
 */
#include "darknet.h"
int main(int argc, char **argv) {
    if (argc != 6)
        return fprintf(stderr, "usage: plain CFG LIST N OUT.weights IMAGE\n"), 2;
    network *net = load_network(argv[1], 0, 1);
    layer last = net->layers[net->n - 1];
    list *paths = get_paths(argv[2]);
    load_args args = get_base_args(net);
    data d;
    args.paths = (char **)list_to_array(paths), args.m = paths->size, args.d = &d;
    args.n = net->batch * net->subdivisions, args.threads = 2, args.type = DETECTION_DATA;
    args.classes = last.classes, args.num_boxes = last.max_boxes, args.jitter = last.jitter;
    for (int i = 0; i < atoi(argv[3]); ++i) {
        pthread_join(load_data(args), 0);
        printf("loss %f\n", train_network(net, d));
        free_data(d);
    }
    save_weights(net, argv[4]);
    network *again = load_network(argv[1], argv[4], 0);
    int n = 0;
    image im = load_image_color(argv[5], 0, 0);
    network_predict_image(again, im);
    detection *dets = get_network_boxes(again, im.w, im.h, 0, .5, 0, 1, &n);
    printf("boxes %d, first output %g\n", n, again->output[0]);
    free_detections(dets, n);
    free_network(net);
    free_network(again);
    return 0;
}
