/* Writing JSON as msgspec does. */

#ifndef TRACEBRIDGE_JSON_TEXT_H
#define TRACEBRIDGE_JSON_TEXT_H

#include "buffer.h"
#include "msgpack.h"

void json_characters(Buffer *out, Text text); /* escaped, without the quotes */
void json_string(Buffer *out, Text text);
void json_integer(Buffer *out, int64_t number);
void json_base64(Buffer *out, Text bytes); /* quoted */
void json_hex(Buffer *out, const uint8_t *bytes, size_t size);

/* False: its shortest form is not known here (more than 15 digits, or very large or small), and the Python code has to write it. */
bool json_real(Buffer *out, double number);

/* The next value as JSON text, the twin of `tracebridge_adapters.dialects.as_json`. False where `json_real` says so. */
bool json_value(Buffer *out, Reader *from);

#endif
