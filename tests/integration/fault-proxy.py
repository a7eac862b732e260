#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTPS proxy in front of a registry, with its faults: each line of RULES is PATTERN ANSWER [HEADER VALUE], read anew
for every request; the first whose regular expression is found in the path counts. ANSWER is a status, `silent` (for
RULES' sake never longer than a minute), or `paged` (an index is handed out one entry a page, after an empty one).

fault-proxy.py PORT REGISTRY-URL RULES SERVER.crt SERVER.key CA.crt LOG
"""
import http.server
import json
import re
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

port, registry, rules, cert, key, ca, log = sys.argv[1:8]
trust = ssl.create_default_context(cafile=ca)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def upstream(self):
        path = urllib.parse.urlsplit(self.path).path
        request = urllib.request.Request(registry + path, headers={"Accept": self.headers.get("Accept", "*/*")})
        try:
            with urllib.request.urlopen(request, context=trust) as answer:
                return answer.status, answer.read(), [("Content-Type", answer.headers.get("Content-Type", ""))]
        except urllib.error.HTTPError as error:
            return error.code, error.read(), []

    def paged(self):
        status, body, headers = self.upstream()
        index, page = json.loads(body), int(self.path.partition("?page=")[2] or 0)
        entries = index["manifests"]
        index["manifests"] = entries[page - 1:page] if page else []  # whatever the order: it is not on the first page
        if page < len(entries):
            headers.append(("Link", f'<{self.path.partition("?")[0]}?page={page + 1}>; rel="next"'))
        self.answer(status, json.dumps(index).encode(), headers)

    def do_GET(self):
        with open(log, "a", encoding="utf-8") as out:
            out.write(f"{time.time():.1f} {self.path}\n")
        with open(rules, encoding="utf-8") as file:
            lines = [line.split(None, 3) for line in file if line.strip()]
        rule = next((line for line in lines if re.search(line[0], self.path)), None)
        if rule and rule[1] == "silent":
            time.sleep(60)
        elif rule and rule[1] == "paged":
            self.paged()
        elif rule:
            self.answer(int(rule[1]), b"", [(rule[2], rule[3].strip())] if len(rule) > 3 else [])
        else:
            self.answer(*self.upstream())


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
