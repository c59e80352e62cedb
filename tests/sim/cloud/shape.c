#include "shape.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One member of a shape, as slices of the shape's text. */
struct member {
    const char *name, *type;
    size_t name_len, type_len;
    bool required, nullable;
};

/* Reads the member at *at and moves on; false at the end. */
static bool next_member(const char **at, struct member *member)
{
    const char *p = *at + strspn(*at, " ,");
    if (!*p)
        return false;
    member->name = p;
    member->name_len = strcspn(p, ":");
    p += member->name_len + 1;
    member->type = p;
    size_t len = strcspn(p, ",");
    *at = p + len;
    member->required = member->nullable = false;
    for (; len > 0 && strchr("!?", p[len - 1]); len--)
        *(p[len - 1] == '!' ? &member->required : &member->nullable) = true;
    member->type_len = len;
    return true;
}

static bool find_member(const char *shape, const char *name, struct member *member)
{
    while (next_member(&shape, member))
        if (strlen(name) == member->name_len && !strncmp(name, member->name, member->name_len))
            return true;
    return false;
}

static bool is_enum(const struct member *member)
{
    return memchr(member->type, '|', member->type_len) != NULL;
}

static bool check_enum(const struct member *member, const char *value)
{
    for (const char *p = member->type, *end = p + member->type_len; p < end;) {
        const char *bar = memchr(p, '|', (size_t)(end - p));
        size_t len = (size_t)((bar ? bar : end) - p);
        if (strlen(value) == len && !strncmp(value, p, len))
            return true;
        p += len + 1;
    }
    return false;
}

static const char *check_int(const struct member *member, const cJSON *value)
{
    double low = -9e15, high = 9e15;
    if (member->type_len > 1) {
        char *rest;
        low = strtod(member->type + 1, &rest);
        high = strtod(rest + strspn(rest, "."), NULL);
    }
    if (!cJSON_IsNumber(value) || value->valuedouble != trunc(value->valuedouble))
        return "must be an integer";
    return value->valuedouble < low || value->valuedouble > high ? "is out of range" : NULL;
}

static const char *check_text(const struct member *member, const cJSON *value)
{
    if (!cJSON_IsString(value))
        return "must be a string";
    size_t longest = member->type_len > 1 ? strtoul(member->type + 1, NULL, 10) : SIZE_MAX;
    return strlen(value->valuestring) > longest ? "is too long" : NULL;
}

static const char *check_date(const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    if (!text || strlen(text) != 10)
        return "must be a date (YYYY-MM-DD)";
    for (size_t i = 0; i < 10; i++) {
        bool dash = i == 4 || i == 7;
        if (dash ? text[i] != '-' : !isdigit((unsigned char)text[i]))
            return "must be a date (YYYY-MM-DD)";
    }
    return NULL;
}

static const char *check_array(const cJSON *value, char kind)
{
    if (!cJSON_IsArray(value))
        return "must be an array";
    const cJSON *element;
    cJSON_ArrayForEach (element, value)
        if (kind == 's' ? !cJSON_IsString(element) : !cJSON_IsObject(element))
            return kind == 's' ? "must be an array of strings" : "must be an array of objects";
    return NULL;
}

/* A field's value: text, truth, number, object, array of text, or null. */
static bool field_value_ok(const cJSON *value)
{
    return value && (!cJSON_IsArray(value) || !check_array(value, 's'));
}

static const char *check_fields(const cJSON *value)
{
    if (!cJSON_IsObject(value))
        return "must be an object of fields";
    const cJSON *field;
    cJSON_ArrayForEach (field, value)
        if (!cJSON_IsObject(field) || !field_value_ok(cJSON_GetObjectItemCaseSensitive(field, "value")))
            return "must hold an object with a \"value\" for each field";
    return NULL;
}

static const char *check_value(const struct member *member, const cJSON *value)
{
    if (cJSON_IsNull(value) && member->nullable)
        return NULL;
    if (is_enum(member)) {
        return cJSON_IsString(value) && check_enum(member, value->valuestring)
                   ? NULL
                   : "is not one of the allowed values";
    }
    switch (member->type[0]) {
    case 's': return check_text(member, value);
    case 'b': return cJSON_IsBool(value) ? NULL : "must be a boolean";
    case 'i': return check_int(member, value);
    case 'n': return cJSON_IsNumber(value) ? NULL : "must be a number";
    case 'd': return check_date(value);
    case 'f': return check_fields(value);
    case '[': return check_array(value, member->type[1]);
    default: return cJSON_IsObject(value) ? NULL : "must be an object";
    }
}

bool sim_shape_check(const char *shape, const cJSON *object, char *problem, size_t problem_size)
{
    struct member member;
    if (!cJSON_IsObject(object)) {
        snprintf(problem, problem_size, "The request body must be a JSON object");
        return false;
    }
    const cJSON *value;
    cJSON_ArrayForEach (value, object) {
        if (!find_member(shape, value->string, &member)) {
            snprintf(problem, problem_size, "Unknown property \"%.60s\"", value->string);
            return false;
        }
        const char *wrong = check_value(&member, value);
        if (wrong) {
            snprintf(problem, problem_size, "Property \"%.60s\" %s", value->string, wrong);
            return false;
        }
    }
    while (next_member(&shape, &member)) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)member.name_len, member.name);
        if (member.required && !cJSON_GetObjectItemCaseSensitive(object, name)) {
            snprintf(problem, problem_size, "Missing required property \"%s\"", name);
            return false;
        }
    }
    return true;
}

cJSON *sim_shape_query_value(const char *shape, const char *name, const char *value)
{
    struct member member;
    if (find_member(shape, name, &member) && !is_enum(&member)) {
        char *rest;
        double number = strtod(value, &rest);
        if (member.type[0] == 'i' && *value && !*rest)
            return cJSON_CreateNumber(number);
        if (member.type[0] == 'b' && (!strcasecmp(value, "true") || !strcasecmp(value, "false")))
            return cJSON_CreateBool(!strcasecmp(value, "true"));
    }
    return cJSON_CreateString(value);
}
