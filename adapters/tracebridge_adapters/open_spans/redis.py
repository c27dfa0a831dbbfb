"""The engine `redis`: open spans in Redis 7 or Valkey, for processes on many hosts. Each call is one script, which the server runs as one step.

A span is two keys, `…:span:TRACE:SPAN` (a hash: state, claim, whether it is a root) and `…:parts:TRACE:SPAN` (a list); `…:due` has every span with the
second at which `take` may have it, by the server's clock, and `…:trace:TRACE` and `…:roots` those that are open. All keys have one hash tag, so that a cluster
keeps them on one node. `…` begins with the version of this layout: another version is another set of keys.

Scripts: https://redis.io/docs/latest/develop/programmability/eval-intro/
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, cast

from tracebridge.errors import ConfigError
from tracebridge.plugins.adapter import Needs
from tracebridge.plugins.examination import Found
from tracebridge.plugins.open_spans import REMEMBERED_S, Change, Entry, SpanKey

PREFIX = "{tracebridge:1}:"
SCHEMES = ("redis://", "rediss://", "unix://")

_HEAD = """
local prefix, id, trace = ARGV[1], ARGV[2], ARGV[3]
local span, parts, due = prefix..'span:'..id, prefix..'parts:'..id, prefix..'due'
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
"""
_START = (
    _HEAD
    + """
local made, root, open_s = ARGV[4], ARGV[5], tonumber(ARGV[6])
if redis.call('EXISTS', span) == 1 then
  return redis.call('LINDEX', parts, 0) == made and 1 or 0
end
redis.call('HSET', span, 'state', 'open', 'root', root)
redis.call('RPUSH', parts, made)
redis.call('ZADD', due, now + open_s, id)
redis.call('ZADD', prefix..'trace:'..trace, now, id)
if root == '1' then redis.call('ZADD', prefix..'roots', now, id) end
return 1
"""
)
_CHANGE = (
    _HEAD
    + """
local state = redis.call('HGET', span, 'state')
if state == 'open' then redis.call('RPUSH', parts, ARGV[4]) end
return state or 'unknown'
"""
)
_CLOSE = """
local function close(id, trace)
  redis.call('ZREM', prefix..'roots', id)
  redis.call('ZREM', prefix..'trace:'..trace, id)
end
"""
_END = (
    _HEAD
    + _CLOSE
    + """
local made, claim, lease_s, even_unknown = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local state, holder = unpack(redis.call('HMGET', span, 'state', 'claim'))
if not state and even_unknown == '0' then return false end
if state and state ~= 'open' and not (state == 'ended' and claim ~= '' and holder == claim) then return false end
redis.call('HSET', span, 'state', 'ended', 'claim', claim)
redis.call('RPUSH', parts, made)
redis.call('ZADD', due, claim == '' and now or now + lease_s, id)
close(id, trace)
return redis.call('LRANGE', parts, 0, -1)
"""
)
_TAKE = (
    _HEAD
    + _CLOSE
    + """
local claim, lease_s, most = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local out = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most)) do
  local span = prefix..'span:'..id
  if redis.call('EXISTS', span) == 1 then
    redis.call('HSET', span, 'state', 'ended', 'claim', claim)
    redis.call('ZADD', due, now + lease_s, id)
    close(id, string.sub(id, 1, 16))
    out[#out + 1] = {id, redis.call('LRANGE', prefix..'parts:'..id, 0, -1)}
  else
    redis.call('ZREM', due, id)
  end
end
return out
"""
)
_SETTLE = (
    _HEAD
    + """
local claim, remembered_s = ARGV[4], tonumber(ARGV[5])
for i = 6, #ARGV do
  local id = ARGV[i]
  local span = prefix..'span:'..id
  local state, holder = unpack(redis.call('HMGET', span, 'state', 'claim'))
  if state == 'ended' and holder == claim then
    redis.call('DEL', prefix..'parts:'..id, span)
    redis.call('HSET', span, 'state', 'gone')
    redis.call('EXPIRE', span, remembered_s)
    redis.call('ZREM', due, id)
  end
end
return 1
"""
)
_OPEN = (
    _HEAD
    + """
local from = ARGV[4] == '1' and prefix..'roots' or prefix..'trace:'..trace
local out = {}
for _, id in ipairs(redis.call('ZRANGE', from, 0, tonumber(ARGV[5]) - 1)) do
  out[#out + 1] = {id, redis.call('LRANGE', prefix..'parts:'..id, 0, -1)}
end
return out
"""
)
_EXAMINE = """
local key, kinds, refused = ARGV[1], {'h', 'l', 'z'}, {}
local function try(name, ...)
  local answer = redis.pcall(name, ...)
  if type(answer) == 'table' and answer.err then refused[#refused + 1] = name..': '..answer.err end
end
local function delete() try('DEL', key..'h', key..'l', key..'z') end
try('TIME')
delete()
if #refused > 0 then return refused end
for _, kind in ipairs(kinds) do try('EXPIRE', key..kind, 60) end
try('EXISTS', key..'h')
try('HSET', key..'h', 'state', 'open')
try('HGET', key..'h', 'state')
try('HMGET', key..'h', 'state', 'claim')
try('RPUSH', key..'l', 'part')
try('LINDEX', key..'l', 0)
try('LRANGE', key..'l', 0, -1)
try('ZADD', key..'z', 1, 'id')
try('ZRANGE', key..'z', 0, 0)
try('ZRANGEBYSCORE', key..'z', '-inf', 0)
try('ZREM', key..'z', 'id')
delete()
return refused
"""  # every command of the others, on keys of its own, which are gone when it ends; nothing is written where DEL is refused


class RedisEngine:
    """Open spans in one Redis; connections are pooled by its client."""

    needs: ClassVar[Needs] = Needs(("redis",), "tracebridge[redis]")

    def __init__(self, url: str | None, timeout_s: float) -> None:
        if url is None or not url.startswith(SCHEMES):
            raise ConfigError("open_spans.url: the engine redis needs an address such as redis://localhost:6379/0")
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise ConfigError("the engine redis needs a package: pip install 'tracebridge[redis]'") from None
        try:
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 1)
            )
        except ValueError as error:
            raise ConfigError(f"open_spans.url: the engine redis cannot use this address: {error}") from None
        self._is_secured = url.startswith("rediss://")
        self._closed = False
        self._scripts = {
            name: self._client.register_script(text)
            for name, text in (
                ("start", _START), ("change", _CHANGE), ("end", _END), ("take", _TAKE), ("settle", _SETTLE), ("open", _OPEN), ("examine", _EXAMINE),
            )
        }  # fmt: skip

    def start(self, key: SpanKey, part: bytes, *, is_root: bool, max_open_s: float) -> bool:
        """See `Engine.start`."""
        return bool(self._run("start", key, part, int(is_root), max_open_s))

    def change(self, key: SpanKey, part: bytes) -> Change:
        """See `Engine.change`."""
        state = self._run("change", key, part).decode()
        return cast(Change, "ended" if state == "gone" else state)

    def end(
        self, key: SpanKey, part: bytes, claim: bytes, lease_s: float, *, even_unknown: bool = True
    ) -> list[bytes] | None:
        """See `Engine.end`."""
        found: list[bytes] | None = self._run("end", key, part, claim, lease_s, int(even_unknown))
        return found

    def take(self, claim: bytes, lease_s: float, most: int) -> list[Entry]:
        """See `Engine.take`."""
        return _entries(self._run("take", None, claim, lease_s, most))

    def settle(self, keys: Sequence[SpanKey], claim: bytes) -> None:
        """See `Engine.settle`."""
        self._run("settle", None, claim, int(REMEMBERED_S), *(b"".join(key) for key in keys))

    def open(self, trace_id: bytes | None, most: int) -> list[Entry]:
        """See `Engine.open`."""
        key = None if trace_id is None else SpanKey(trace_id, b"")
        return _entries(self._run("open", key, int(trace_id is None), most))

    def examine(self) -> Iterator[Found]:
        """See `ExaminableEngine.examine`. Each command that the engine uses is tried in one script, on keys that it deletes."""
        try:
            refused = self._scripts["examine"](keys=(PREFIX,), args=(f"{PREFIX}doctor:{os.urandom(8).hex()}:",))
        except Exception as error:
            yield _trouble(error, self._is_secured)
            return
        if refused:
            said = [each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in refused]
            yield _refusal("; ".join(dict.fromkeys(said)))
        else:
            yield Found("server", "takes every command that the engine uses")

    def close(self) -> None:
        """See `Engine.close`."""
        self._closed = True
        self._client.close()

    def _run(self, script: str, key: SpanKey | None, *arguments: Any) -> Any:
        if self._closed:
            raise ConnectionError("it has been closed")
        trace_id, span_id = key or (b"", b"")
        return self._scripts[script](keys=(PREFIX,), args=(PREFIX, trace_id + span_id, trace_id, *arguments))


def _entries(found: Sequence[Any]) -> list[Entry]:
    return [Entry(SpanKey(each[0][:16], each[0][16:]), each[1]) for each in found]


def _refusal(said: str) -> Found:
    if "READONLY" in said or "read only replica" in said:
        return Found("server", "", f"a read-only replica: {said}", "name the primary in open_spans.url")
    if any(word in said for word in ("NOPERM", "ACL failure", "user executing the script", "permission")):
        advice = "give its user these commands, EVALSHA, SCRIPT LOAD, and the keys ~{tracebridge:1}:*"
        return Found("server", "", f"this user lacks rights: {said}", advice, "credentials")
    return Found("server", "", f"it refuses: {said}", "its own log can tell more", "foreign-answer")


def _trouble(error: Exception, is_secured: bool) -> Found:
    """Return what an error of the client means."""
    import ssl

    import redis

    said = f"{type(error).__name__}: {error}"
    if isinstance(error, redis.exceptions.NoPermissionError | redis.exceptions.ReadOnlyError):
        return _refusal(f"{'READONLY' if isinstance(error, redis.exceptions.ReadOnlyError) else 'NOPERM'} {error}")
    if isinstance(error, redis.exceptions.AuthenticationError) or "NOAUTH" in said or "WRONGPASS" in said:
        return Found("server", "", said, "check the user and password in open_spans.url", "credentials")
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Found("server", "", said, "name its authority: rediss://…?ssl_ca_certs=./ca.pem", "tls-failed")
    if isinstance(cause, ssl.SSLError) or "SSL" in said:
        return Found("server", "", said, "write redis:// for a port without TLS", "tls-not-spoken")
    if isinstance(error, redis.exceptions.TimeoutError):
        # a Redis without TLS waits for the rest of what it takes for a line
        advice = (
            "is this its TLS port? redis:// is for one without" if is_secured else "is this a Redis, and is it busy?"
        )
        return Found("server", "", said, advice, "no-answer")
    if isinstance(error, redis.exceptions.ResponseError):
        return _refusal(said)
    advice = "is this the port of a Redis? write rediss:// for a port with TLS"
    return Found("server", "", said, advice, "foreign-answer")
