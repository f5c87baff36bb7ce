// Just enough JSON to find a text in an object.

#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

// A part of a JSON document. It ends where its length says, not with a zero.
struct json_text {
    const char *start;
    size_t length;
};

// Finds the member `key` of the object `json`, if it is a text: what stands between its quotes, escapes as they are.
bool json_member(struct json_text json, const char *key, struct json_text *found);

#endif
