#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three Nodes and some pods behind an API that wants a client certificate: what jobs ask of Kubernetes, and nothing else.

Node s2 has K3s' etcd finalizer for two seconds after it was deleted. Pod shop/web may not be evicted while FOLDER/budget is
there. An evicted pod stops for a second. Every change is a line of FOLDER/log.

fake-jobs-api.py PORT FOLDER SERVER.crt SERVER.key CA.crt
"""
import http.server
import json
import os
import ssl
import sys
import time

port, folder, cert, key, ca = sys.argv[1:6]
FINALIZER = "wrangler.cattle.io/managed-etcd-controller"
nodes = {name: {"kind": "Node", "metadata": {"name": name, "uid": "uid-" + name, "finalizers": [FINALIZER]}, "spec": {}}
         for name in ("s1", "s2", "s3")}
secrets = {"s2.node-password.k3s"}
pods = {}
going = {}


def pod(name, **more):
    pods["shop/" + name] = {"metadata": {"namespace": "shop", "name": name, **more}, "spec": {"nodeName": "s3"},
                            "status": {"phase": "Running"}}


pod("web")
pod("job")
pod("ds", ownerReferences=[{"kind": "DaemonSet", "name": "ds"}])
pod("static", annotations={"kubernetes.io/config.mirror": "x"})


def log(line):
    with open(os.path.join(folder, "log"), "a", encoding="utf-8") as out:
        out.write(line + "\n")


def settle():
    now = time.monotonic()
    for what in [what for what, since in going.items() if now - since > (2 if what in nodes else 1)]:
        going.pop(what, None)
        nodes.pop(what, None)
        pods.pop(what, None)
        log("gone " + what)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def refuse(self, status, message, **more):
        self.answer(status, {"kind": "Status", "message": message, "code": status, **more})

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")

    def node(self):
        settle()
        return nodes.get(self.path.rsplit("/", 1)[1])

    def do_GET(self):
        settle()
        path, _, query = self.path.partition("?")
        if path == "/api/v1/pods":
            name = query.split("%3D")[1]
            return self.answer(200, {"kind": "PodList", "items": [p for p in pods.values() if p["spec"]["nodeName"] == name]})
        node = self.node()
        return self.answer(200, node) if node else self.refuse(404, "no such node")

    def do_PATCH(self):
        body, node = self.body(), self.node()
        if not node:
            return self.refuse(404, "no such node")
        if self.headers["Content-Type"] != "application/merge-patch+json":
            return self.refuse(415, "no merge patch")
        node["spec"].update(body["spec"])
        log(f"unschedulable {node['metadata']['name']} {body['spec']['unschedulable']}")
        return self.answer(200, node)

    def do_DELETE(self):
        body, name = self.body(), self.path.rsplit("/", 1)[1]
        if "/secrets/" in self.path:
            if name not in secrets:
                return self.refuse(404, "no such secret")
            secrets.remove(name)
            log("secret " + name)
            return self.answer(200, {"kind": "Status", "status": "Success"})
        node = self.node()
        if not node:
            return self.refuse(404, "no such node")
        if body["preconditions"]["uid"] != node["metadata"]["uid"]:
            return self.refuse(409, "the UID in the precondition does not match")
        going.setdefault(name, time.monotonic())
        log("delete " + name)
        return self.answer(200, node)

    def do_POST(self):
        body = self.body()
        name = "/".join(self.path.split("/")[i] for i in (4, 6))
        settle()
        if not self.path.endswith("/eviction") or body["kind"] != "Eviction" or body["apiVersion"] != "policy/v1":
            return self.refuse(400, "no eviction")
        if name == "shop/web" and os.path.exists(os.path.join(folder, "budget")):
            return self.refuse(429, "Cannot evict pod as it would violate the pod's disruption budget.", details={"causes": [
                {"reason": "DisruptionBudget", "message": "The disruption budget web needs 1 healthy pods and has 1 currently"}]})
        if name not in pods:
            return self.refuse(404, "no such pod")
        pods[name]["metadata"]["deletionTimestamp"] = "2026-11-25T00:00:00Z"
        going.setdefault(name, time.monotonic())
        log("evict " + name)
        return self.answer(201, {"kind": "Status", "status": "Success"})


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
context.load_verify_locations(ca)
context.verify_mode = ssl.CERT_REQUIRED
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
