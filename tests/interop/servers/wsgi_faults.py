"""Faults on demand in front of a WSGI application, and counts of its requests.

    POST /_test/fault   {"path", "status"?, "headers"?, "body"?, "then"?}, or {} to heal
    POST /_test/state   {"requests": {..}}
"""

import http
import json
import threading

from django.core.servers.basehttp import WSGIRequestHandler

MEGABYTE = b" " * (1 << 20)


class Faults:
    """`endpoints` are names by path; the others are `elsewhere`."""

    def __init__(self, application, endpoints):
        self.application = application
        self.endpoints = endpoints
        self.requests = {name: 0 for name in [*endpoints.values(), "elsewhere"]}
        self.lock = threading.Lock()
        self.fault = {}

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path.startswith("/_test/"):
            return self.control(path, environ, start_response)
        name = self.endpoints.get(path, "elsewhere")
        with self.lock:
            self.requests[name] += 1
        fault = self.fault
        if fault.get("path") == name:
            return misbehave(fault, environ, start_response)
        return self.application(environ, start_response)

    def control(self, path, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if path == "/_test/fault":
            self.fault = json.loads(body)
        return answer({"requests": self.requests}, start_response)


def answer(said, start_response):
    body = json.dumps(said).encode()
    start_response("200 OK", [("content-type", "application/json"), ("content-length", str(len(body)))])
    return [body]


class RequestHandler(WSGIRequestHandler):
    """Lets an application hang up after its answer."""

    def get_environ(self):
        return {**super().get_environ(), "hang_up": self.hang_up}

    def hang_up(self):
        self.close_connection = True


def misbehave(fault, environ, start_response):
    """Something that a client must survive, in place of the answer."""
    then = fault.get("then")
    if then == "hang":
        threading.Event().wait()
    body = fault.get("body", "{" if then == "truncate" else "").encode()
    headers = {"content-type": "application/json", **fault.get("headers", {})}
    if then is None:
        headers["content-length"] = str(len(body))
    elif then == "truncate":
        environ["hang_up"]()
    status = http.HTTPStatus(fault.get("status", 200))
    start_response(f"{status.value} {status.phrase}", list(headers.items()))
    if then == "huge":
        return gigabyte()
    if then == "drip":
        return drip()
    return [body]


def gigabyte():
    """White space is JSON as far as it goes."""
    for _ in range(1024):
        yield MEGABYTE
    yield b'{"active": true}'


def drip():
    while True:
        yield b" "
        threading.Event().wait(0.5)
