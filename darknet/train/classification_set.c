#include "train/classification_set.h"

#include "data/class_tree.h"

gdrq_status classification_sample(const void *user, random_stream *random, int image,
                                  const picture *p, const loader_sample *sample, gdrq_error *err) {
    const classification_set *set = user;
    const int class_id = set->images.class_ids[image];
    const crop_plan plan = crop_draw(random, &set->augment, p->w, p->h, sample->w, sample->h);
    if (set->hierarchy)
        class_tree_truth(set->hierarchy, class_id, sample->truth);
    else
        sample->truth[class_id] = 1;
    return crop_picture(&plan, p, sample->codes, err);
}
