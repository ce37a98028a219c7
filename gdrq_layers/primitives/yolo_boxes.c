#include "primitives/yolo_boxes.h"

#include "primitives/detection_head.h"

enum { COORDS = 4 };

static void read_slot(const gdrq_head *head, const gdrq_slot *slot, float thresh, detection *d) {
    const float *const objectness = head->output + gdrq_slot_entry(head, slot, COORDS);
    d->bbox = gdrq_head_box(head, slot);
    d->objectness = *objectness;
    d->classes = head->classes;
    for (int i = 0; i < head->classes; i++) {
        const float score = *objectness * objectness[(size_t)(i + 1) * head->cells];
        d->prob[i] = score > thresh ? score : 0;
    }
}

int gdrq_yolo_boxes(const layer *l, int net_w, int net_h, float thresh, detection *found) {
    const gdrq_head head = gdrq_head_of(l, COORDS, net_w, net_h);
    int n = 0;
    for (int cell = 0; cell < (int)head.cells; cell++)
        for (int i = 0; i < head.anchors; i++) {
            if (!(head.output[gdrq_head_index(&head, 0, i, COORDS) + (size_t)cell] > thresh))
                continue;
            const gdrq_slot slot = gdrq_head_slot(&head, 0, i, l->biases + 2 * l->mask[i],
                                                  cell % head.w, cell / head.w);
            read_slot(&head, &slot, thresh, &found[n++]);
        }
    return n;
}
