#include "results/json_results.h"

#include "results/json_object.h"
#include "results/json_text.h"

gdrq_status json_results_open(json_results *results, char *const *names, int classes, float thresh,
                              gdrq_error *err) {
    *results = (json_results){.names = names, .classes = classes, .thresh = thresh};
    const gdrq_status status = memory_file_open(&results->file, err);
    if (status == GDRQ_OK)
        fputs("[", results->file.stream);
    return status;
}

void json_results_add(json_results *results, const char *image, const detections *found) {
    FILE *out = results->file.stream;
    fprintf(out, "%s\n{\n \"frame_id\":%d,\n \"filename\":", results->images ? "," : "",
            results->images + 1);
    results->images++;
    json_put_string(out, image);
    fputs(",\n \"objects\": [", out);
    bool first = true;
    for (int i = 0; i < found->n; i++) {
        const detection *d = &found->at[i];
        for (int k = 0; k < results->classes && detection_is_finite(d); k++) {
            if (!(d->prob[k] > results->thresh))
                continue;
            if (!first)
                putc(',', out);
            first = false;
            fputs("\n  ", out);
            json_put_object(out, &d->bbox, k, results->names[k], d->prob[k], 0, 0);
        }
    }
    fputs("\n ]\n}", out);
}

gdrq_status json_results_save(json_results *results, const char *path, gdrq_error *err) {
    fputs("\n]\n", results->file.stream);
    return memory_file_save(&results->file, path, err);
}

void json_results_free(json_results *results) {
    memory_file_free(&results->file);
}
