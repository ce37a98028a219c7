#include "results/print_shares.h"

#include "results/json_text.h"

void shares_print(const pixel_shares *shares, const segmenter *s, FILE *out) {
    char number[SEGMENTER_NUMBER_SIZE];
    for (int k = 0; k < s->classes; k++)
        if (shares->of_class[k])
            fprintf(out, "%s: %.2f%%\n", segmenter_name(s, k, number),
                    100 * pixel_share(shares, k));
}

void shares_put_json(const pixel_shares *shares, const segmenter *s, FILE *out) {
    char number[SEGMENTER_NUMBER_SIZE];
    const char *comma = "";
    putc('[', out);
    for (int k = 0; k < s->classes; k++) {
        if (!shares->of_class[k])
            continue;
        const unsigned char *rgb = s->colours.rgb[k];
        fprintf(out, "%s{\"class_id\":%d, \"name\":", comma, k);
        json_put_string(out, segmenter_name(s, k, number));
        fprintf(out, ", \"colour\":\"#%02x%02x%02x\", \"share\":%f}", rgb[0], rgb[1], rgb[2],
                pixel_share(shares, k));
        comma = ",";
    }
    putc(']', out);
}
