/* What kind of thing a demo finds in a frame. */
#ifndef DARKNET_DEMO_FINDINGS_H
#define DARKNET_DEMO_FINDINGS_H

typedef enum demo_findings {
    DEMO_OBJECTS, /* or likely classes: with scores, of which those above a threshold are told */
    DEMO_SHARES   /* of the pixels, of all classes that occur: there is no threshold */
} demo_findings;

#endif
