#include "json.h"

#include <string.h>

static size_t skip_space(struct json_text json, size_t at) {
    while (at < json.length && strchr(" \t\r\n", json.start[at]) != NULL && json.start[at] != '\0') at++;
    return at;
}

// From an opening quote to behind the closing one.
static size_t skip_string(struct json_text json, size_t at) {
    for (at++; at < json.length && json.start[at] != '"'; at++) {
        if (json.start[at] == '\\') at++;
    }
    return at < json.length ? at + 1 : json.length;
}

// To the `,` or the bracket that ends the value.
static size_t skip_value(struct json_text json, size_t at) {
    size_t depth = 0;
    while (at < json.length) {
        char c = json.start[at];
        if (c == '"') {
            at = skip_string(json, at);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']')) return at;
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        at++;
    }
    return at;
}

bool json_member(struct json_text json, const char *key, struct json_text *found) {
    size_t at = skip_space(json, 0);
    if (at >= json.length || json.start[at] != '{') return false;
    at = skip_space(json, at + 1);
    while (at < json.length && json.start[at] == '"') {
        size_t name = at + 1;
        at = skip_string(json, at);
        bool is_wanted = at - name - 1 == strlen(key) && memcmp(json.start + name, key, strlen(key)) == 0;
        at = skip_space(json, at);
        if (at >= json.length || json.start[at] != ':') return false;
        at = skip_space(json, at + 1);
        size_t value = at;
        at = skip_value(json, at);
        if (is_wanted) {
            if (value >= json.length || json.start[value] != '"') return false;
            size_t end = skip_string(json, value);
            found->start = json.start + value + 1;
            found->length = end - value - 2;
            return true;
        }
        at = skip_space(json, at);
        if (at >= json.length || json.start[at] != ',') return false;
        at = skip_space(json, at + 1);
    }
    return false;
}
