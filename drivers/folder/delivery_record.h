/* Delivery marks: what a delivery leaves on disk so that it is never repeated. deliver.c has the rule. */
#ifndef LF_FOLDER_DELIVERY_RECORD_H
#define LF_FOLDER_DELIVERY_RECORD_H

#include "folder.h"

#include "base/digest.h"

/* The names and digests of one delivery. */
struct lf_delivery {
    const struct lf_parcel *parcel;
    char part[256];             /* the unfinished file, in the inbox */
    char mark[LF_MARK_NAME];    /* the mark, in the inbox */
    char sha256[LF_SHA256_HEX]; /* of the bytes as delivered; differs from the parcel's when converted */
    int64_t size;
};

/* LF_TOO_LARGE when the name leaves no room for the unfinished file's name. */
enum lf_status folder__delivery_name(struct lf_delivery *delivery, const struct lf_action *action,
                                     struct lf_error *err);

struct lf_mark {
    bool about;     /* complete, and durable before the file became visible */
    bool linking;   /* the file is being published as a link to the unfinished one */
    bool done;      /* published, and that is durable */
    bool same_boot; /* the machine has not restarted since */
    char sha256[LF_SHA256_HEX];
};

/* Writes the mark of a delivery that is about to be published; durable when this returns. */
enum lf_status folder__record_write(struct lf_folder *folder, const struct lf_delivery *delivery,
                                    struct lf_error *err);
/* Adds a line ("linking\n", "done\n") to it; durable when this returns. */
enum lf_status folder__record_add(struct lf_folder *folder, const struct lf_delivery *delivery,
                                  const char *line, struct lf_error *err);
/* LF_NOT_FOUND when there is none. */
enum lf_status folder__record_read(struct lf_folder *folder, const struct lf_delivery *delivery,
                                   struct lf_mark *mark, struct lf_error *err);
/* Removes the traces of an earlier attempt, the mark durably first: an unfinished file that is gone while its
 * mark is there would read as published. */
enum lf_status folder__record_clear(struct lf_folder *folder, const struct lf_delivery *delivery,
                                    struct lf_error *err);

/* The host has the answer of this delivery: its mark is removed an hour from now. */
void folder__record_settle(struct lf_folder *folder, const struct lf_delivery *delivery);
/* Once an hour: removes settled marks, and old leftovers of crashes. Logs errors, never fails. */
void folder__record_sweep(struct lf_folder *folder);

#endif
