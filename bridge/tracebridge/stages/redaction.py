"""The redaction stage: secrets are masked before a record is journalled, so no secret is ever stored or sent.

A key is secret when one of its words is (split at punctuation and camelCase, any case): `dbPassword`, `api-key`, `X-Auth-Token`,
`refreshTokens`; counts of tokens (`max_tokens`, `usage.token_count`) are not secrets. It may be the key of a mapping, the first of two elements
in a list of pairs, or the `name` beside a `value`. Masked under any key are values that begin with `Bearer ` or `Basic `, as text and as bytes, and
what matches a `deny_values` pattern; in attributes that hold an address its user info and secret parameters; in messages, stack traces and
status messages every credential that has a known shape (`tracebridge.masking.shapes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tracebridge.masking.names import ADDRESS_KEYS, QUERY_KEYS, is_credential, is_secret_key, masked_address
from tracebridge.masking.patterns import MASK, masker
from tracebridge.masking.shapes import MESSAGE_KEYS, masked_credentials
from tracebridge.records.known_keys import KnownKeys
from tracebridge.records.record import Event, Link, SpanRecord, Value

if TYPE_CHECKING:
    from tracebridge.settings.model import RedactionSettings


def redaction_of(settings: RedactionSettings) -> Redaction:
    """Return the stage that a configuration asks for."""
    return Redaction(
        default_keys=settings.keys == "default",
        deny_keys=settings.deny_keys,
        allow_keys=settings.allow_keys,
        deny_values=settings.deny_values,
        action=settings.action,
    )


class Redaction:
    """A stage that masks secrets in attributes, inputs, outputs, events, links, tags and the status message."""

    def __init__(
        self,
        *,
        default_keys: bool = True,
        deny_keys: Iterable[str] = (),
        allow_keys: Iterable[str] = (),
        deny_values: Iterable[str] = (),
        action: Literal["mask", "drop"] = "mask",
    ) -> None:
        self._default_keys = default_keys
        self._deny = frozenset(key.lower() for key in deny_keys)
        self._allow = frozenset(key.lower() for key in allow_keys)
        self._maskers: Sequence[Callable[[str], str]] = [masker(name) for name in deny_values]
        self._drop = action == "drop"
        self._looked_into = (ADDRESS_KEYS | MESSAGE_KEYS) - self._allow if default_keys else frozenset()
        self.keys = KnownKeys(self._judge, self._looked_into)
        self._known = self.keys.known
        self.only_keys = not self._maskers
        """Whether values matter only by their beginning; see `tracebridge.stages.stage`."""

    def __call__(self, record: SpanRecord) -> SpanRecord:
        """Return the record itself when nothing in it is secret, else a masked copy with `redacted` counted."""
        changes: dict[str, Any] = {}
        count = 0
        for name in ("attributes", "inputs", "outputs", "tags"):
            value = getattr(record, name)
            if value is not None and not self._is_harmless(value):
                clean, n = self._mapping(value) if name in {"attributes", "tags"} else self._value(value)
                if n:
                    changes[name] = clean
                    count += n
        if record.events or record.links or record.status_message:
            count += self._rest(record, changes)
        if not count:
            return record
        return msgspec.structs.replace(record, redacted=record.redacted + count, **changes)

    def _rest(self, record: SpanRecord, changes: dict[str, Any]) -> int:
        count = 0
        for name in ("events", "links"):
            items: tuple[Event | Link, ...] = getattr(record, name)
            cleaned: list[Any] = []
            found = 0
            for item in items:
                harmless = self._is_harmless(item.attributes)
                clean, n = (item.attributes, 0) if harmless else self._mapping(item.attributes)
                cleaned.append(msgspec.structs.replace(item, attributes=clean) if n else item)
                found += n
            if found:
                changes[name] = tuple(cleaned)
                count += found
        message, n = self._message(record.status_message) if record.status_message else ("", 0)
        if n:
            changes["status_message"] = message
        return count + n

    def _is_harmless(self, value: Value) -> bool:
        """Return True when a look without building anything finds no secret; False sends a value the long way, which decides.

        Nearly every value ends here: a fifth of the cost of `_value`. A mapping's keys are judged in one step, once they are known.
        """
        kind = type(value)
        if kind is dict:
            if not self._known.issuperset(value):
                return False
            items = value.values()
        elif kind is list:
            items = value
        else:
            return (kind is not str or self._is_harmless_text(value)) and kind is not bytes
        if self.keys.holds_named_secret(value):
            return False
        for item in items:
            kind = type(item)
            if kind is str:
                if not self._is_harmless_text(item):
                    return False
            elif kind is bytes or ((kind is dict or kind is list) and not self._is_harmless(item)):
                return False
        return True

    def _is_harmless_text(self, text: str) -> bool:
        return self.only_keys and not (text[:1] in "bB" and is_credential(text))

    def _judge(self, key: str) -> bool:
        if self._default_keys:
            return is_secret_key(key, self._deny, self._allow)
        return key.lower() in self._deny

    def _secret(self, key: str) -> bool:
        return key not in self.keys.known and not self.keys.learn((key,)) and self._judge(key)

    def _mapping(self, given: Mapping[str, Value]) -> tuple[dict[str, Value], int]:
        out: dict[str, Value] = {}
        count = 0
        for key, value in given.items():
            if self._secret(key):
                count += 1
                if not self._drop:
                    out[key] = MASK
                continue
            if key in self._looked_into:
                value, n = self._looked_at(key, value)  # noqa: PLW2901 - the rest of the rules sees what is left
                count += n
            out[key], n = self._value(value)
            count += n
        return out, count

    def _looked_at(self, key: str, value: Value) -> tuple[Value, int]:
        """Return an address, or a message, with what is secret in it masked; a list is one of several."""
        if type(value) is list:
            each = [self._looked_at(key, item) for item in value]
            return [item for item, _ in each], sum(n for _, n in each)
        if type(value) is not str:
            return value, 0
        if key in MESSAGE_KEYS:
            return masked_credentials(value, MASK, self._judge)
        return masked_address(value, MASK, self._judge, only_query=key in QUERY_KEYS)

    def _message(self, text: str) -> tuple[str, int]:
        masked, n = masked_credentials(text, MASK, self._judge) if self._default_keys else (text, 0)
        masked, more = self._text(masked)
        return masked, n + more

    def _value(self, value: Value, *, in_list: bool = False) -> tuple[Value, int]:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is bytes:
            text, n = self._text(value.decode("latin-1"))
            return (text, n) if n else (value, 0)
        if kind is dict:
            masked, n = self._mapping(value)
            if self.keys.holds_named_secret(value):
                masked["value"] = MASK
                n += 1
            return masked, n
        if kind is list:
            if in_list and self.keys.holds_named_secret(value):
                return [value[0], MASK], 1
            each = [self._value(item, in_list=True) for item in value]
            return [item for item, _ in each], sum(n for _, n in each)
        return value, 0

    def _text(self, text: str) -> tuple[str, int]:
        if is_credential(text):
            return MASK, 1
        count = 0
        for mask in self._maskers:
            masked = mask(text)
            if masked != text:
                count += 1
                text = masked
        return text, count
