#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One blob behind the ways a registry may behave, by the repository's name: plain, cut (the connection ends half-way
the first time), whole (ranges are ignored), bearer (a token is asked for), basic, moved (redirect to another port),
damaged, shifted (a range begins a byte too late). Every request is logged: METHOD PATH RANGE AUTHORIZATION.

fake-registry.py PORT OTHER_PORT BLOB SERVER.crt SERVER.key LOG
"""
import base64
import hashlib
import http.server
import json
import ssl
import sys
import threading
import urllib.parse

port, other_port, blob_path, cert, key, log = sys.argv[1:7]
with open(blob_path, "rb") as file:
    blob = file.read()
digest = "sha256:" + hashlib.sha256(blob).hexdigest()
cut = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_blob(self, mode):
        data, begin = blob, 0
        wanted = self.headers.get("Range")
        if mode == "damaged":
            data = blob[:-1] + bytes([blob[-1] ^ 1])
        if wanted and mode != "whole":
            begin = int(wanted.split("=")[1].rstrip("-"))
            if begin >= len(data):
                return self.answer(416)
            begin += mode == "shifted"
            return self.answer(206, data[begin:], Content_Range=f"bytes {begin}-{len(data) - 1}/{len(data)}")
        if mode == "cut" and not cut:
            cut.append(True)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:len(data) // 2])
            self.close_connection = True
            return None
        return self.answer(200, data)

    def do_GET(self):
        authorization = self.headers.get("Authorization", "-")
        with open(log, "a", encoding="utf-8") as out:
            out.write(f"{self.server.server_port} {self.path} {self.headers.get('Range', '-')} {authorization}\n")
        path = urllib.parse.urlsplit(self.path)
        if path.path == "/token":
            query = urllib.parse.parse_qs(path.query)
            if authorization != "Basic " + base64.b64encode(b"pull:s3cret").decode():
                return self.answer(401)
            if query != {"service": ["test service"], "scope": ["repository:bearer:pull"]}:
                return self.answer(400)
            return self.answer(200, json.dumps({"token": "t0ken"}).encode())
        mode = path.path.split("/")[2]
        if not path.path.endswith("/blobs/" + digest):
            return self.answer(404)
        if mode == "bearer" and authorization != "Bearer t0ken":
            return self.answer(401, WWW_Authenticate=f'Bearer realm="https://127.0.0.1:{port}/token",'
                                                     'service="test service",scope="repository:bearer:pull"')
        if mode == "basic" and authorization != "Basic " + base64.b64encode(b"pull:s3cret").decode():
            return self.answer(401, WWW_Authenticate="Basic realm=x")
        if mode == "moved" and self.server.server_port == int(port):
            return self.answer(307, Location=f"https://127.0.0.1:{other_port}{self.path}")
        return self.send_blob(mode)


def serve(number):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(number)), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


threading.Thread(target=serve, args=(other_port,), daemon=True).start()
serve(port)
