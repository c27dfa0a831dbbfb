"""The redaction stage: secrets are masked before a record is journalled, so no secret is ever stored or sent.

A key is secret when one of its words is (split at punctuation and camelCase, any case): `dbPassword`, `api-key`,
`X-Auth-Token`. Counts of tokens (`max_tokens`, `usage.token_count`) are not secrets. Values that begin with `Bearer ` or
`Basic ` are masked under any key; so are secret parameters and user info in the attributes that hold an address, and values that match a `deny_values` pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from tracebridge.records.known_keys import KnownKeys
from tracebridge.records.record import Event, Link, SpanRecord, Value
from tracebridge.records.secret_names import ADDRESS_KEYS, is_credential, is_secret_key, masked_address

MASK: Final = "[redacted]"

DENY_VALUES: Final[Mapping[str, re.Pattern[str]]] = {
    "card": re.compile(r"\b(?:\d[ -]?){12,18}\d\b"),
    "jwt": re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"),
}


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
        self._patterns: Sequence[re.Pattern[str]] = [DENY_VALUES.get(name) or re.compile(name) for name in deny_values]
        self._drop = action == "drop"
        self._addresses = ADDRESS_KEYS - self._allow if default_keys else frozenset()
        self.keys = KnownKeys(lambda key: key in self._addresses or self._judge(key))
        self._known = self.keys.known
        self.only_keys = not self._patterns
        """Whether values matter only by their beginning; see `tracebridge.stages.stage`."""

    def __call__(self, record: SpanRecord) -> SpanRecord:
        """Return the record itself when nothing in it is secret, else a masked copy with `redacted` counted."""
        changes: dict[str, Any] = {}
        count = 0
        for name in ("attributes", "inputs", "outputs", "tags"):
            value = getattr(record, name)
            if value is not None and not self._is_harmless(value):
                clean, n = self._value(value)
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
        message, n = self._value(record.status_message) if record.status_message else ("", 0)
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
            return kind is not str or self._is_harmless_text(value)
        for item in items:
            kind = type(item)
            if kind is str:
                if not self._is_harmless_text(item):
                    return False
            elif (kind is dict or kind is list) and not self._is_harmless(item):
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
            if key in self._addresses and type(value) is str:
                value, n = masked_address(key, value, MASK, self._judge)  # noqa: PLW2901 - the rest of the rules sees what is left
                count += n
            out[key], n = self._value(value)
            count += n
        return out, count

    def _value(self, value: Value) -> tuple[Value, int]:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is dict:
            return self._mapping(value)
        if kind is list:
            pairs = [self._value(item) for item in value]
            return [item for item, _ in pairs], sum(n for _, n in pairs)
        return value, 0

    def _text(self, text: str) -> tuple[str, int]:
        if is_credential(text):
            return MASK, 1
        count = 0
        for pattern in self._patterns:
            judge: Callable[[re.Match[str]], str] = _mask_card if pattern is DENY_VALUES["card"] else _mask
            masked = pattern.sub(judge, text)
            if masked != text:
                count += 1
                text = masked
        return text, count


def _mask(_: re.Match[str]) -> str:
    return MASK


def _mask_card(found: re.Match[str]) -> str:
    """Mask a run of digits only when its Luhn checksum says that it is a payment card."""
    digits = [int(char) for char in found[0] if char.isdigit()]
    doubled = [sum(divmod(digit * 2, 10)) for digit in digits[-2::-2]]
    return MASK if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else found[0]
