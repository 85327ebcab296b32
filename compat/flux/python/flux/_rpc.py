# SPDX-License-Identifier: BSD-3-Clause
"""Flux.rpc(): the messages that programs send themselves, as requests of hbatch.  All others are of Flux's own services:
they are answered as by an instance of Flux that has not loaded them."""
import errno
import json
import os

import hbatch

from .future import Future


def _nothing(answer):
    del answer
    return {}


def _id(payload):
    return {"id": hbatch.JobID(payload["id"])}


def _lookup(answer):
    """Each key as text, as it is in Flux's store."""
    return {k: v if isinstance(v, (str, int)) else json.dumps(v) for k, v in answer.items()}


#: Topic: method, its parameters of the payload, the payload of the answer.
_TOPICS = {
    "config.get": ("config.get", lambda p: {}, lambda a: a.get("config") or {}),
    "job-info.lookup": ("job.info", lambda p: {**_id(p), "keys": p["keys"]}, _lookup),
    "job-manager.drain": ("queue.wait", lambda p: {"until": "empty"}, _nothing),
    "job-manager.kill": ("job.kill", lambda p: {**_id(p), "signal": p["signum"]}, _nothing),
    "job-manager.raise": (
        "job.raise",
        lambda p: {**_id(p), "type": p["type"], "severity": p["severity"], "note": p.get("note", "")},
        _nothing,
    ),
    "job-manager.undrain": ("config.get", lambda p: {}, _nothing),
    "job-manager.urgency": (
        "job.urgency",
        lambda p: {**_id(p), "urgency": p["urgency"]},
        lambda a: {"old_urgency": a.get("old")},
    ),
}


class RPC(Future):
    """get() gives the payload of the answer, get_str() its text."""

    def __init__(self, flux_handle, topic, payload):
        super().__init__(flux_handle)
        self._refused = None
        if isinstance(topic, bytes):
            topic = topic.decode()
        if isinstance(payload, (str, bytes)):
            payload = json.loads(payload)
        if topic.endswith(".ping"):  # the instance answers for all of Flux's services
            self._made = lambda answer: {"seq": 0, "pad": "", **(payload or {}), "userid": os.getuid(), "rolemask": 1}
            self.post(flux_handle.channel.post, "instance.info", {})
            return
        if topic not in _TOPICS:
            self._refuse(errno.ENOSYS, f"No service matching {topic} is registered")
            return
        method, params, self._made = _TOPICS[topic]
        try:
            wanted = params(payload or {})
        except (KeyError, ValueError) as e:
            self._refuse(errno.EPROTO, f"{topic}: the payload lacks or has a wrong {e}")
            return
        self.post(flux_handle.channel.post, method, wanted)

    def _refuse(self, code, text):
        self._refused = OSError(code, text)
        self._told(None)

    def get(self):
        if self._refused:
            raise self._refused
        return super().get()

    def get_str(self):
        return json.dumps(self.get())
