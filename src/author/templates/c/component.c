// Greets, and counts the messages of a conversation.
//
// component.h is made from wit/ by the build. What an exported function is given belongs to it, and has to be freed;
// what it answers is freed by the caller.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "component.h"
#include "json.h"

// Bytes that the caller of the component is to have.
static component_list_u8_t bytes(const char *json, size_t length) {
    component_list_u8_t out = {malloc(length), length};
    if (out.ptr == NULL) abort();
    memcpy(out.ptr, json, length);
    return out;
}

static component_list_u8_t text(const char *json) {
    return bytes(json, strlen(json));
}

// Why an operation failed. A flow sees it as `error`. Code and message must need no escapes in JSON.
static component_list_u8_t failure(const char *code, const char *message) {
    char json[256];
    snprintf(json, sizeof json, "{\"ok\":false,\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code, message);
    return text(json);
}

static component_list_u8_t greet(struct json_text input) {
    struct json_text name;
    if (!json_member(input, "text", &name) || name.length == 0) return failure("bad_input", "tell me your name");
    // The name goes from JSON to JSON as it is written there, escapes and all.
    static const char before[] = "{\"text\":\"Hello, ", after[] = "!\"}";
    size_t length = sizeof before - 1 + name.length + sizeof after - 1;
    char *json = malloc(length);
    if (json == NULL) abort();
    memcpy(json, before, sizeof before - 1);
    memcpy(json + sizeof before - 1, name.start, name.length);
    memcpy(json + sizeof before - 1 + name.length, after, sizeof after - 1);
    component_list_u8_t answer = bytes(json, length);
    free(json);
    return answer;
}

// How often it was called in this conversation. What is written is kept only if the call ends well.
static component_list_u8_t count(void) {
    component_string_t key;
    component_string_set(&key, "count");
    greentic_state_state_store_host_error_t error;
    component_list_u8_t stored;
    unsigned long long now = 1;
    if (greentic_state_state_store_read(&key, NULL, &stored, &error)) {
        char digits[21] = {0};
        memcpy(digits, stored.ptr, stored.len < sizeof digits - 1 ? stored.len : sizeof digits - 1);
        now += strtoull(digits, NULL, 10);
        component_list_u8_free(&stored);
    } else {
        bool is_new = error.code.len == strlen("not_found") && memcmp(error.code.ptr, "not_found", error.code.len) == 0;
        greentic_state_state_store_host_error_free(&error);
        if (!is_new) return failure("state", "the count cannot be read");
    }
    char json[64];
    int length = snprintf(json, sizeof json, "%llu", now);
    component_list_u8_t written = {(uint8_t *)json, (size_t)length};
    greentic_state_state_store_op_ack_t ack;
    if (!greentic_state_state_store_write(&key, &written, NULL, &ack, &error)) {
        greentic_state_state_store_host_error_free(&error);
        return failure("state", "the count cannot be written");
    }
    snprintf(json, sizeof json, "{\"count\":%llu}", now);
    return text(json);
}

// What the component is. Flows may call the operations in `ops`.
void exports_greentic_provider_schema_core_schema_core_api_describe(component_list_u8_t *ret) {
    *ret = text("{\"provider_type\":\"my-component\",\"capabilities\":[],\"ops\":[\"greet\",\"count\"]}");
}

// Whether a configuration will do. This component needs none.
void exports_greentic_provider_schema_core_schema_core_api_validate_config(
    component_list_u8_t *config, exports_greentic_provider_schema_core_schema_core_api_validation_result_t *ret) {
    component_list_u8_free(config);
    component_list_u8_t answer = text("{\"ok\":true}");
    ret->ptr = answer.ptr;
    ret->len = answer.len;
}

// Whether the component could work now.
void exports_greentic_provider_schema_core_schema_core_api_healthcheck(
    exports_greentic_provider_schema_core_schema_core_api_health_status_t *ret) {
    component_list_u8_t answer = text("{\"status\":\"ok\"}");
    ret->ptr = answer.ptr;
    ret->len = answer.len;
}

static bool is(const component_string_t *op, const char *name) {
    return op->len == strlen(name) && memcmp(op->ptr, name, op->len) == 0;
}

// Carries out one operation.
void exports_greentic_provider_schema_core_schema_core_api_invoke(
    component_string_t *op, component_list_u8_t *input,
    exports_greentic_provider_schema_core_schema_core_api_invoke_result_t *ret) {
    struct json_text json = {(const char *)input->ptr, input->len};
    component_list_u8_t answer;
    if (is(op, "greet")) {
        answer = greet(json);
    } else if (is(op, "count")) {
        answer = count();
    } else {
        answer = failure("unknown_op", "the operations are greet and count");
    }
    component_string_free(op);
    component_list_u8_free(input);
    ret->ptr = answer.ptr;
    ret->len = answer.len;
}
