/* The members of events, as Benchling documents them. Private to src/event. */
#ifndef LF_EVENT_MEMBERS_H
#define LF_EVENT_MEMBERS_H

/* Members between blanks, in the order of the alphabet:
 *
 *     name           a plain value
 *     name{a b}      an object, or a list of objects, with these members
 *     name{*}        one with members that Labferry does not know
 *     name{?{a b}}   one whose members have names of the tenant's own, and these members each
 *     name=A|B       a text that is one of these
 */
struct lf_event_members {
    const char *resource; /* NULL ends the table */
    const char *members;
};

extern const struct lf_event_members event__members[];
/* Those of the envelope, and of its detail beside the resource. */
extern const char event__envelope_members[], event__detail_members[];

#endif
