"""Moto behind a server that can lose, refuse and rewrite what passes: faults at the wire, not in our code."""

import json
import re
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.serving import HOP, Served, answer, hang_up, received

_TARGET = "X-Amz-Target"  # names the action in Amazon's JSON APIs
_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/(?P<service>[^/]+)/aws4_request")


@dataclass(slots=True)
class Rule:
    """What becomes of the next `times` requests of an action.

    `error` (status, code, message) answers in the server's place. `rewrite` changes the server's answer. `lost` lets the
    server act, and then hangs up (0) or keeps silent for as many seconds. The first `after` requests pass untouched, and
    those that do not say `about`.
    """

    action: str
    times: int = 1
    after: int = 0
    error: tuple[int, str, str] | None = None
    rewrite: Callable[[str], str] | None = None
    lost: float | None = None
    about: str = ""


def take(rules: list[Rule], action: str, body: str = "") -> Rule | None:
    """The rule for this request of the action, used up by one."""
    for rule in rules:
        if rule.action != action or not rule.times or rule.about not in body:
            continue
        if rule.after:
            rule.after -= 1
            continue
        rule.times -= 1
        return rule
    return None


def error_text(code: str, message: str) -> str:
    """As Amazon's query API has it."""
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


def refuse(handler: BaseHTTPRequestHandler, status: int, code: str, message: str) -> None:
    """Answer with an error, in the form of the API that was asked."""
    if _TARGET in handler.headers:
        text = json.dumps({"__type": code, "message": message})
        answer(handler, status, {"Content-Type": "application/x-amz-json-1.1"}, text.encode())
        return
    answer(handler, status, {"Content-Type": "text/xml"}, error_text(code, message).encode())


PAGED = {"DescribeLaunchTemplateVersions": "launchTemplateVersionSet"}  # of which moto gives one page and no more


def page(data: bytes, listed: str, parameters: dict[str, list[str]]) -> bytes:
    """The page of an answer that was asked for, and the token of the next one."""
    root = ET.fromstring(data)
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    (items,) = root.iter(space + listed)
    start, size = int(parameters.get("NextToken", ["0"])[0]), int(parameters["MaxResults"][0])
    rest = list(items)
    if len(rest) > start + size:
        ET.SubElement(root, space + "nextToken").text = str(start + size)
    for each in rest[:start] + rest[start + size :]:
        items.remove(each)
    return ET.tostring(root)


class Moto(Served):
    """All of moto in this process, at an address that nothing ever goes wrong with."""

    def __init__(self) -> None:
        self._app: Any = DomainDispatcherApplication(create_backend_app)

    def ask(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """What moto answers."""
        headers = [(key, value) for key, value in handler.headers.items() if key.lower() not in HOP]
        asked = EnvironBuilder(path=handler.path, method=handler.command, data=body, headers=headers)
        try:
            chunks, status, answered = run_wsgi_app(self._app, asked.get_environ(), buffered=True)
        except StopIteration:  # what moto raises for an instance that no group has, where Amazon says this
            return 400, {"Content-Type": "text/xml"}, error_text("ValidationError", "Instance Id not found").encode()
        kept = {key: value for key, value in answered.items() if key.lower() not in HOP}
        return int(status.partition(" ")[0]), kept, b"".join(chunks)

    def reset(self) -> None:
        """An empty account."""
        run_wsgi_app(self._app, EnvironBuilder(path="/moto-api/reset", method="POST").get_environ(), buffered=True)

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass it on."""
        answer(handler, *self.ask(handler, received(handler)))


class Wire(Served):
    """A context manager. `url` leads to moto; `actions` are the requests that came, as `service:Action`."""

    def __init__(self, moto: Moto) -> None:
        self.moto = moto
        self.rules: list[Rule] = []
        self.frozen: dict[bytes, tuple[int, dict[str, str], bytes]] | None = None  # what was read once is read again
        self.actions: list[str] = []
        self.activities: dict[str, str] = {}  # group -> scaling activities, of which moto keeps no books
        # Action -> from body to content type and body: what moto lacks.
        self.answers: dict[str, Callable[[str], tuple[str, str]]] = {}
        # Action -> parameters that are added on the way, so that moto need not list the world.
        self.narrowed: dict[str, str] = {}
        self._lock = threading.Lock()

    def reset(self) -> None:
        """An empty account and a whole wire."""
        self.moto.reset()
        self.rules.clear()
        self.activities.clear()
        self.actions.clear()
        self.answers.clear()
        self.narrowed.clear()
        self.frozen = None

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass one request on, or do to it what the first rule for its action says."""
        body = received(handler)
        parameters = urllib.parse.parse_qs(body.decode())
        action = parameters.get("Action", [""])[0] or handler.headers.get(_TARGET, "").rpartition(".")[2]
        service = _SERVICE.search(handler.headers.get("Authorization", ""))
        rule = self._take(action, service["service"] if service else "?", body.decode())
        if rule and rule.error:
            refuse(handler, *rule.error)
            return
        if action in self.answers:
            kind, text = self.answers[action](body.decode())
            answer(handler, 200, {"Content-Type": kind}, text.encode())
            return
        if self.frozen is not None and body in self.frozen:
            answer(handler, *self.frozen[body])
            return
        narrowed = body + self.narrowed.get(action, "").encode()
        if action in PAGED and "MaxResults" in parameters:
            narrowed = re.sub(rb"MaxResults=\d+|NextToken=[^&]*", b"", body) + b"&MaxResults=1000000"
        status, headers, data = self.moto.ask(handler, narrowed)
        if action in PAGED and "MaxResults" in parameters and status == 200:
            data = page(data, PAGED[action], parameters)
        if rule and rule.lost is not None:
            time.sleep(rule.lost)
            hang_up(handler)
            return
        if action == "DescribeScalingActivities":
            told = self.activities.get(parameters.get("AutoScalingGroupName", [""])[0], "")
            data = data.replace(b"<Activities/>", b"<Activities></Activities>")
            data = data.replace(b"<Activities></Activities>", f"<Activities>{told}</Activities>".encode())
        if rule and rule.rewrite:
            data = rule.rewrite(data.decode()).encode()
        if self.frozen is not None and action.startswith("Describe"):
            self.frozen[body] = (status, headers, data)
        answer(handler, status, headers, data)

    def _take(self, action: str, service: str, body: str) -> Rule | None:
        with self._lock:
            self.actions.append(f"{service}:{action}")
            return take(self.rules, action, body)
