#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for K3s in tests of the bootstrap: an HTTPS API that wants a client certificate, keeps Leases, and serves
the objects of the manifests folder; a Deployment becomes available two seconds after its file appeared, a custom
resource is served only once its definition is there.

FOLDER.addons, when it is there, lists the Addons that K3s made for files laid before, one name a line.

An object with the annotation test.hearth.io/never gets ready only once there is FOLDER.mended.

An object whose path stands in FOLDER.hold is not answered while it stands there.

fake-api.py PORT FOLDER SERVER.crt SERVER.key CA.crt LOG
"""
import glob
import http.server
import json
import os
import ssl
import sys
import time

import yaml

port, folder, cert, key, ca, log = sys.argv[1:7]
leases = {}
seen, made = {}, {}
RESOURCES = {
    "/api/v1": {"ConfigMap": ("configmaps", True), "Namespace": ("namespaces", False), "Pod": ("pods", True)},
    "/apis/apps/v1": {"Deployment": ("deployments", True), "DaemonSet": ("daemonsets", True)},
    "/apis/apiextensions.k8s.io/v1": {"CustomResourceDefinition": ("customresourcedefinitions", False)},
    "/apis/test.hearth.io/v1": {"Widget": ("widgets", True)},
}


def objects():
    for path in sorted(glob.glob(os.path.join(folder, "hearth-*.yaml"))):
        with open(path, encoding="utf-8") as file:
            for document in yaml.safe_load_all(file):
                if document:
                    if path not in seen:
                        seen[path] = time.monotonic()
                        made[path] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                        with open(log, "a", encoding="utf-8") as out:
                            out.write(os.path.basename(path) + "\n")
                    yield path, document


def live(path, document):
    # an object that never gets ready, however long one waits
    if document["metadata"].get("annotations", {}).get("test.hearth.io/never") and not os.path.exists(folder + ".mended"):
        seen[path] = time.monotonic()
    kind, age = document["kind"], time.monotonic() - seen[path]
    document["metadata"].setdefault("generation", 1)
    document["metadata"]["creationTimestamp"] = made[path]
    if kind == "Deployment":
        ready = 1 if age > 2 else 0
        document["status"] = {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": ready}
    elif kind == "CustomResourceDefinition":
        document["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    elif kind == "Namespace":
        document["status"] = {"phase": "Active"}
    return document


def find(path):
    for group, kinds in RESOURCES.items():
        for kind, (plural, namespaced) in kinds.items():
            for file, document in objects():
                namespace = document["metadata"].get("namespace", "default")
                where = f"{group}/namespaces/{namespace}/{plural}/" if namespaced else f"{group}/{plural}/"
                if document["kind"] == kind and path == where + document["metadata"]["name"]:
                    return live(file, document)
    return None


def pods(namespace, node):
    items = []
    for path, document in objects():
        if document["kind"] == "DaemonSet" and document["metadata"].get("namespace", "default") == namespace:
            ready = "True" if time.monotonic() - seen[path] > 2 else "False"
            items.append({"metadata": {"name": "x", "ownerReferences": [
                {"kind": "DaemonSet", "name": document["metadata"]["name"]}]},
                "spec": {"nodeName": node},
                "status": {"conditions": [{"type": "Ready", "status": ready, "message": "containers starting"}]}})
    return {"kind": "PodList", "items": items}


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

    def refuse(self, status, message):
        self.answer(status, {"kind": "Status", "message": message, "code": status})

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def lease(self, body):
        name = body["metadata"]["name"]
        old = leases.get(name)
        if old and body["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            return self.refuse(409, "the object has been modified")
        body["metadata"]["resourceVersion"] = str(int(old["metadata"]["resourceVersion"]) + 1 if old else 1)
        leases[name] = body
        return self.answer(200 if old else 201, body)

    def do_POST(self):
        self.lease(self.body())

    def do_PUT(self):
        self.lease(self.body())

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if "/leases/" in path:
            lease = leases.get(path.rsplit("/", 1)[1])
            return self.answer(200, lease) if lease else self.refuse(404, "no such lease")
        if path == "/apis/k3s.cattle.io/v1/namespaces/kube-system/addons" and os.path.exists(folder + ".addons"):
            names = open(folder + ".addons", encoding="utf-8").read().split()
            return self.answer(200, {"kind": "AddonList", "items": [{"metadata": {"name": name}} for name in names]})
        if path in RESOURCES:
            if path == "/apis/test.hearth.io/v1" and not any(
                    d["kind"] == "CustomResourceDefinition" for _, d in objects()):
                return self.refuse(404, "the server could not find the requested resource")
            return self.answer(200, {"kind": "APIResourceList", "resources": [
                {"name": plural, "kind": kind, "namespaced": namespaced}
                for kind, (plural, namespaced) in RESOURCES[path].items()]})
        if path.endswith("/pods") and query.startswith("fieldSelector=spec.nodeName%3D"):
            return self.answer(200, pods(path.split("/")[-2], query.split("%3D")[1]))
        found = find(path)
        while found and os.path.exists(folder + ".hold") and path in open(folder + ".hold", encoding="utf-8").read():
            time.sleep(0.1)
        return self.answer(200, found) if found else self.refuse(404, f"{path} not found")


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
context.load_verify_locations(ca)
context.verify_mode = ssl.CERT_REQUIRED
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
