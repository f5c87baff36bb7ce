"""Greets, and counts the messages of a conversation."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import state_store


class Failure(Exception):
    """Why an operation failed. A flow sees it as `error`."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message


class SchemaCoreApi(exports.SchemaCoreApi):
    def describe(self) -> bytes:
        """What the component is. Flows may call the operations in `ops`."""
        return to_bytes({"provider_type": "my-component", "capabilities": [], "ops": ["greet", "count"]})

    def validate_config(self, config_json: bytes) -> bytes:
        """Whether a configuration will do. This component needs none."""
        return to_bytes({"ok": True})

    def healthcheck(self) -> bytes:
        """Whether the component could work now."""
        return to_bytes({"status": "ok"})

    def invoke(self, op: str, input_json: bytes) -> bytes:
        """Carries out one operation."""
        try:
            if op == "greet":
                return to_bytes(greet(json.loads(input_json or b"null")))
            if op == "count":
                return to_bytes(count())
            raise Failure("unknown_op", "the operations are greet and count")
        except Failure as failure:
            return to_bytes({"ok": False, "error": {"code": failure.code, "message": failure.message}})


def greet(value):
    name = value.get("text") if isinstance(value, dict) else None
    if not isinstance(name, str) or not name:
        raise Failure("bad_input", "tell me your name")
    return {"text": f"Hello, {name}!"}


def count():
    """How often it was called in this conversation. What is written is kept only if the call ends well."""
    now = read("count") + 1
    try:
        state_store.write("count", str(now).encode(), None)
    except Err as error:
        raise Failure("state", error.value.message)
    return {"count": now}


def read(key):
    try:
        return int(state_store.read(key, None))
    except Err as error:
        if error.value.code == "not_found":
            return 0
        raise Failure("state", error.value.message)


def to_bytes(value) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
