/* Freeing what the host's free_layer() forgets. */
#include <malloc.h>

#include "small_network.h"

/* Bytes in use once a network of this cfg was made and freed. */
static size_t bytes_after(const char *text) {
    free_network(parse_text(text));
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/*
 * Ten more networks may cost a little, where pieces of memory lie differently, but not what one of
 * them holds. (Under the address sanitiser mallinfo2() counts nothing and its leak check does.)
 */
static void assert_no_leak(const char *text) {
    size_t before = 0;
    for (int i = 0; i < 3; i++)
        before = bytes_after(text);
    for (int i = 0; i < 10; i++)
        bytes_after(text);
    const size_t after = bytes_after(text);
    if (after > before + 64 * 1024)
        fail_msg("%zu bytes more after 11 of %s", after - before, text);
}

static void recurrent_layers(void **state) {
    (void)state;
    assert_no_leak("[net]\nbatch=2\ntime_steps=2\nwidth=6\nheight=6\nchannels=3\n"
                   "[crnn]\nbatch_normalize=1\nhidden_filters=30\noutput_filters=30\n[cost]\n");
    const char *const kinds[] = {"rnn", "gru", "lstm"};
    for (int i = 0; i < 3; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "[net]\nbatch=2\ntime_steps=2\ninputs=50\nadam=1\n"
                 "[%s]\noutput=80\nbatch_normalize=1\n[softmax]\n",
                 kinds[i]);
        assert_no_leak(text);
    }
}

/* Of biases and scales. */
static void moments(void **state) {
    (void)state;
    assert_no_leak("[net]\nbatch=1\nwidth=2\nheight=2\nchannels=1\nadam=1\n"
                   "[convolutional]\nbatch_normalize=1\nfilters=9000\nsize=1\nactivation=relu\n"
                   "[avgpool]\n[softmax]\n");
}

static void sums_per_object(void **state) {
    (void)state;
    assert_no_leak("[net]\nbatch=1\nwidth=2\nheight=2\nchannels=1\n"
                   "[convolutional]\nfilters=60\nsize=1\nactivation=relu\n"
                   "[iseg]\nclasses=20\nids=40\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recurrent_layers),
        cmocka_unit_test(moments),
        cmocka_unit_test(sums_per_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
