"""A node host in Python, standard library only: one effect and one compute, by the protocol of docs/node-protocol.md.

The numbers (MUST 1 to 12) are those of that document. All is kept in memory: a host that died has forgotten it.
"""

import hashlib
import hmac
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

SECRET = os.environ.get("ONEX_NODE_SECRET", "").encode()
MAX_BODY = 2 * 1024 * 1024
WINDOW_MS = KEPT_MS = 5 * 60_000
printed = {}


def now_ms():
    return int(time.time() * 1000)


def print_label(payload, key):
    """An effect: a slow printer, which prints a label once for each key."""
    time.sleep(payload.get("seconds", 0))
    return printed.setdefault(key, {"label": f"{payload['order']}/{len(printed) + 1}"})


def parcel_price(payload, _key):
    """A compute: the same output for the same input, and nothing happens."""
    return {"cents": 390 + 120 * payload["kg"]}


NODES = {("EXECUTE_SIDE_EFFECT", "print-label"): print_label, ("EXECUTE_COMPUTATION", "parcel-price"): parcel_price}


class Refused(Exception):
    """An answer that says no; nothing was begun."""

    def __init__(self, status, code, message, final=False, details=None):
        super().__init__(message)
        error = {"code": code, "message": message} | ({"details": details} if details else {})
        answer = {"onex": 1, "status": "failed", "error": error, "outcome": "none"}
        self.status, self.answer = status, answer | ({"final": True} if final else {})


class Host:
    def __init__(self):
        self.lock = self.idle = threading.Condition()
        # Each is key -> (until when it is kept, value).
        self.nonces, self.works, self.owners, self.tombs = {}, {}, {}, {}
        self.draining, self.under_way = False, 0

    def check_signature(self, method, path, headers, body):
        """MUST 1 and 2."""
        names = ["onex-time", "onex-nonce", "onex-action", "onex-epoch"]
        said, given = [headers.get(name, "") for name in names], headers.get("onex-signature", "")
        if not given or not all(said):
            raise Refused(401, "SIGNATURE_MISSING", f"send onex-signature, {', '.join(names)}")
        if abs(int(said[0]) - now_ms()) > WINDOW_MS:
            raise Refused(401, "SIGNATURE_EXPIRED", f"signed at {said[0]}, and the clock here says {now_ms()}")
        text = "\n".join(["onex-v1", method, path, *said, hashlib.sha256(body).hexdigest()])
        fit = "v1=" + hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(fit.encode(), given.encode()):
            raise Refused(401, "SIGNATURE_INVALID", "the signature does not fit: is it the same secret?")
        with self.lock:
            self.sweep()
            if said[1] in self.nonces:
                raise Refused(401, "SIGNATURE_REPLAYED", "this nonce came before")
            if len(self.nonces) >= 1_000_000:
                raise Refused(503, "NODE_BUSY", "no more nonces can be kept, and none is forgotten early")
            self.nonces[said[1]] = (int(said[0]) + WINDOW_MS, None)

    def sweep(self):
        now = now_ms()
        for kept in (self.nonces, self.works, self.owners, self.tombs):
            for key in [key for key, (until, _) in kept.items() if until < now]:
                del kept[key]

    def own(self, said):
        """MUST 4: the highest epoch of each run, and the lease that holds it."""
        run, owner = said["run_id"], (said["epoch"], said["lease_id"])
        until, seen = self.owners.get(run, (0, owner))
        if owner[0] < seen[0] or owner[0] == seen[0] and owner != seen:
            code = "STALE_EPOCH" if owner[0] < seen[0] else "LEASE_VIOLATION"
            raise Refused(409, code, "another owner was seen", details={"seen_epoch": seen[0], "seen_lease_id": seen[1]})
        self.owners[run] = (max(until, said["not_after"] + KEPT_MS), owner)

    def abort(self, abort):
        """MUST 8. Work under way here cannot be stopped; it ends with its own answer."""
        with self.lock:
            self.own(abort)
            if abort["action_id"] not in self.works:
                self.tombs[abort["action_id"]] = (abort["not_after"] + KEPT_MS, "CANCELLED")
        return {"onex": 1, "status": "aborted"}

    def begin(self, action, node):
        """The work of this action, and whether it is to be done now (MUST 3 to 7)."""
        action_id, until = action["action_id"], action["not_after"] + KEPT_MS
        with self.lock:
            self.sweep()
            _, known = self.works.get(action_id, (0, None))
            if known:
                if known.payload != action["payload"]:
                    raise Refused(409, "ACTION_INVALID", "this action came before with another payload", final=True)
                if action["epoch"] >= self.owners[action["run_id"]][1][0]:
                    self.own(action)
                return known, False
            if self.draining:
                raise Refused(503, "NODE_BUSY", "the node host is draining")
            _, dead = self.tombs.get(action["idempotency_key"]) or self.tombs.get(action_id) or (0, None)
            if dead:
                raise Refused(410, dead, "it was undone or given up before it came", final=dead == "UNDONE")
            if now_ms() > action["not_after"]:
                raise Refused(410, "ACTION_EXPIRED", "it came after its time was over; set the clocks of both sides")
            self.own(action)
            if "undoes" in action:
                self.tombs[action["undoes"]] = (until, "UNDONE")
            work = SimpleNamespace(payload=action["payload"], done=threading.Event(), answer=None)
            self.works[action_id] = (until, work)
            self.under_way += 1
            return work, True

    def act(self, action):
        node = NODES.get((action["action_type"], action["target_node"]))
        if node is None or action["target_version"].split(".")[0] not in ("1", "*"):
            raise Refused(404, "NODE_UNKNOWN", f"this host serves no {action['target_node']}@{action['target_version']}")
        work, mine = self.begin(action, node)
        if mine:
            try:
                work.answer = {"onex": 1, "status": "completed", "output": node(action["payload"], action["idempotency_key"])}
            except Exception as error:  # MUST 9: nobody knows how far it came
                work.answer = Refused(200, "EFFECT_THREW", repr(error)).answer | {"outcome": "unknown"}
            work.done.set()
        work.done.wait()
        return work.answer, mine

    def answered(self, mine):
        """Work is under way until its answer was sent: who drains waits for that."""
        with self.lock:
            self.under_way -= mine
            self.idle.notify_all()

    def drain(self, grace):
        """MUST 12."""
        self.draining = True
        with self.lock:
            self.idle.wait_for(lambda: self.under_way == 0, grace)


host = Host()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self):
        status = "draining" if host.draining else "healthy"
        self.reply(503 if host.draining else 200, {"onex": 1, "status": status, "under_way": host.under_way})

    def do_POST(self):
        try:
            length = int(self.headers.get("content-length") or -1)
            if not 0 <= length <= MAX_BODY:  # MUST 11
                self.close_connection = True
                raise Refused(413, "VALUE_TOO_LARGE", f"send at most {MAX_BODY} bytes, and content-length", final=True)
            body = self.rfile.read(length)
            host.check_signature("POST", self.path, self.headers, body)
            message = json.loads(body)
            said = message["abort"] if "abort" in message else message["action"]
            signed = self.headers["onex-action"], self.headers["onex-epoch"]
            if message["onex"] != 1 or signed != (said["action_id"], str(said["epoch"])):
                raise Refused(401, "SIGNATURE_INVALID", "the body is not about what the headers say")
            answer, mine = (host.abort(said), False) if "abort" in message else host.act(said)
            try:
                self.reply(200, answer)
            finally:
                host.answered(mine)
        except Refused as refused:
            self.reply(refused.status, refused.answer)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.reply(400, Refused(400, "ACTION_INVALID", f"cannot be read: {error!r}", final=True).answer)

    def reply(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    log_message = staticmethod(lambda *_: None)


if __name__ == "__main__":
    if len(SECRET) < 16:
        sys.exit("set ONEX_NODE_SECRET to what the orchestrator has, at least 16 characters: openssl rand -hex 32")
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 3401), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=lambda: (host.drain(10), server.shutdown())).start())
    print(f"serving print-label, parcel-price on http://127.0.0.1:{server.server_port}/nodes", flush=True)
    server.serve_forever()
